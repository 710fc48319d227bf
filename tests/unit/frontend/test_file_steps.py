"""COPY, ADD and WORKDIR: the operations that they become."""

from __future__ import annotations

import pytest
from dockerfiles import World, last, last_file, message, operations, target, vertices
from hypothesis import given
from hypothesis import strategies as st

from builder.graph import Copy, File, Local, MakeDirectory, Merge, Owner
from frontend.dockerfile.paths import clean, rooted


def copied(text: str, **options: object) -> Copy:
    (action,) = last_file(target(f"FROM busybox\n{text}", None, **options)).actions
    assert isinstance(action, Copy)
    return action


def made(text: str, base: str = "busybox", **options: object) -> MakeDirectory:
    (action,) = last_file(target(f"FROM {base}\n{text}", None, **options)).actions
    assert isinstance(action, MakeDirectory)
    return action


def test_a_copy_reads_the_context_and_stands_on_the_step_before() -> None:
    built = target("FROM busybox\nCOPY a b /x/", context_exclude=("*.md",))
    base, context, file = vertices(built)
    assert context.operation == Local(name="context", exclude=("*.md",))
    assert file.inputs == (base, context)
    assert file.operation == File(
        base=0, actions=(Copy(input=1, sources=("/a", "/b"), destination="/x/", owner=Owner(0, 0)),)
    )


def test_a_copy_from_a_stage_keeps_owners() -> None:
    assert copied("COPY --from=alpine a /x").owner is None


def test_an_archive_keeps_its_owners_and_is_unpacked() -> None:
    add = copied("ADD a.tar /x")
    assert (add.unpack, add.owner) == (True, None)
    assert copied("ADD --chown=1 a.tar /x").owner == Owner(1)


def test_on_scratch_the_source_is_the_only_input() -> None:
    built = target("FROM scratch\nCOPY a /x")
    file = last_file(built)
    (action,) = file.actions
    assert isinstance(action, Copy)
    assert (file.base, action.input) == (None, 0)
    assert built.vertex is not None
    assert len(built.vertex.inputs) == 1


def test_a_stage_can_copy_from_its_own_base() -> None:
    built = target("FROM busybox AS a\nFROM a\nCOPY --from=a /x /y")
    assert built.vertex is not None
    assert len(built.vertex.inputs) == 2
    assert built.vertex.inputs[0].digest == built.vertex.inputs[1].digest


@pytest.mark.parametrize(
    ("source", "path"),
    [("a", "/a"), ("../../a", "/a"), ("/a/", "/a"), (".", "/"), ("a/./b//c", "/a/b/c"), ("*.t?t", "/*.t?t")],
)
def test_a_source_is_a_clean_path_inside_its_root(source: str, path: str) -> None:
    assert copied(f"COPY {source} /x").sources == (path,)


@given(st.text(alphabet="./a", max_size=12))
def test_no_source_leaves_its_root(path: str) -> None:
    assert rooted(path).startswith("/")
    assert ".." not in rooted(path).split("/")
    assert clean(rooted(path)) == rooted(path)


@pytest.mark.parametrize(
    ("destination", "path"),
    [
        ("/x", "/x"),
        ("/x/", "/x/"),
        ("/x/.", "/x/"),
        ("x", "/w/x"),
        (".", "/w/"),
        ("./", "/w/"),
        ("..", "/"),
        ("../y", "/y"),
        ("/", "/"),
        ("//x//y", "/x/y"),
        ('"$U"', "/w/"),
    ],
)
def test_a_destination_is_absolute_and_keeps_its_slash(destination: str, path: str) -> None:
    assert copied(f"WORKDIR /w\nCOPY a {destination}").destination == path


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("1", Owner(1)),
        ("1:2", Owner(1, 2)),
        ("u", Owner("u")),
        ("u:g", Owner("u", "g")),
        (":2", Owner(0, 2)),
        ("a:b:c", Owner("a", "b:c")),
        ("007:", Owner(7, 0)),
        ("$U", Owner(0, 0)),
    ],
)
def test_an_owner_is_given_by_numbers_or_names(text: str, owner: Owner) -> None:
    assert copied(f"COPY --chown={text} a b").owner == owner


@pytest.mark.parametrize("text", ["4294967295", "1:99999999999999999999", "9" * 5000])
def test_an_owner_that_would_wrap_around_is_refused(text: str) -> None:
    assert message(f"FROM busybox\nCOPY --chown={text} a b").startswith("invalid user or group id")


@pytest.mark.parametrize(
    "text",
    [
        "FROM scratch\nCOPY --chown=u a b",
        "FROM busybox\nCOPY --link --chown=1:g a b",
        "FROM scratch\nUSER u\nWORKDIR /w",
    ],
)
def test_a_name_needs_a_file_system_to_be_looked_up_in(text: str) -> None:
    assert message(text) == "invalid user index: -1"


@pytest.mark.parametrize(
    ("text", "mode"),
    [("644", 0o644), ("0", 0), ("07777", 0o7777), ("+x", "+x"), ("+X-w", "+X-w"), ("u=g+x", "u=g+x"),
     ("g=o", "g=o"), ("u=rw,g+", "u=rw,g+"), ("=", "="), ("", None), ("$U", None), ("a=rwxXst", "a=rwxXst")],
)  # fmt: skip
def test_a_mode_is_octal_or_symbolic(text: str, mode: int | str | None) -> None:
    assert copied(f"COPY --chmod={text} a b").mode == mode


@pytest.mark.parametrize("text", ["888", "64a", "0o644", "10000", "٣", "0" * 4000 + "8"])
def test_a_mode_that_begins_with_a_digit_must_be_octal(text: str) -> None:
    assert message(f"FROM busybox\nCOPY --chmod={text} a b") == (
        f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777"
    )


@pytest.mark.parametrize("text", ["u+q", "a", "u+rwx,", "x", "u+gx", ","])
def test_another_mode_must_be_symbolic(text: str) -> None:
    assert message(f"FROM busybox\nCOPY --chmod={text} a b").endswith("invalid syntax")


def test_a_linked_copy_is_made_on_nothing_and_merged() -> None:
    built = target("FROM busybox\nCOPY --link a /x")
    base, context, file, merge = vertices(built)
    assert merge.operation == Merge()
    assert merge.inputs == (base, file)
    assert file.inputs == (context,)
    assert isinstance(file.operation, File)
    assert file.operation.base is None


def test_a_linked_copy_with_a_mode_is_an_ordinary_one() -> None:
    assert isinstance(last(target("FROM busybox\nCOPY --link --chmod=600 a /x")), File)


def test_a_linked_copy_on_scratch_is_an_ordinary_one() -> None:
    assert [type(each) for each in operations(target("FROM scratch\nADD --link a /x"))] == [Local, File]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("https://example.test/x", "source can't be a URL for COPY"),
        ("git://example.test/x", "source can't be a git ref for COPY"),
        ("ssh://example.test/x", "source can't be a git ref for COPY"),
        ("a@b:c", "source can't be a git ref for COPY"),
        ("https://example.test/x.git#v1", "source can't be a git ref for COPY"),
    ],
)
def test_copy_downloads_nothing(source: str, reason: str) -> None:
    assert message(f"FROM busybox\nCOPY {source} /x") == reason


@pytest.mark.parametrize("source", ["./x.git", "../x", "github.com/a/b", "ftp://x/y", "HTTP://x/y"])
def test_what_only_resembles_an_address_is_a_path(source: str) -> None:
    assert len(copied(f"ADD {source} /x").sources) == 1


def test_json_words_are_expanded_like_others() -> None:
    copy = copied('ENV X="p q"\nCOPY ["a b", "$X", "/d/"]')
    assert copy.sources == ("/a b", "/p q")


@pytest.mark.parametrize(
    ("text", "path"), [("WORKDIR /a/../b//c/", "/b/c"), ("WORKDIR w", "/w"), ("WORKDIR //", "/")]
)
def test_the_directory_that_is_made_is_clean(text: str, path: str) -> None:
    assert made(text).path == path


def test_a_directory_belongs_to_the_user() -> None:
    assert made("USER u:g\nWORKDIR /w").owner == Owner("u", "g")
    assert made("USER 5\nWORKDIR /w", base="scratch").owner == Owner(5)
    assert made("USER root\nWORKDIR /w").owner is None


def test_a_user_that_would_wrap_around_makes_no_directory() -> None:
    assert message("FROM busybox\nUSER 4294967296\nWORKDIR /w").startswith("invalid user or group id")


def test_a_directory_is_made_at_the_epoch() -> None:
    assert made("WORKDIR /w").mtime is None
    assert made("WORKDIR /w", build_args={"SOURCE_DATE_EPOCH": "5"}).mtime == 5


def test_the_root_directory_needs_no_step() -> None:
    assert len(vertices(target("FROM busybox\nWORKDIR /", World()))) == 1
