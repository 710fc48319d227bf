"""What copies select, and the digest that stands for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory import copy, digest_of, directory, file, hardlink, symlink, view

from builder.graph.globs import PatternError, exactly
from builder.graph.operations import Copy, File, Owner
from builder.snapshot.copy import FilePlan
from builder.snapshot.entry import Entry, FileView, Node
from builder.snapshot.errors import PathConflict, PathNotFound
from builder.snapshot.selection import select


def selected(source: FileView, *words: str) -> list[tuple[str, str]]:
    return [(tree.name, tree.root.entry.path) for tree in select(copy(*words, "/x"), source)]


def key(source: FileView, *actions: Copy) -> str | None:
    plan = FilePlan(File(base=None, actions=actions or (copy("*", "/x"),)), [None, source])
    found = plan.content_key(digest_of)
    return found[0] if found is not None else None


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a", ["a"]),
        ("*", [".h", "a", "ab", "d", "e[1]"]),
        ("a*", ["a", "ab"]),
        ("?", ["a", "d"]),
        ("[.a]?", [".h", "ab"]),
        ("e[[]1]", ["e[1]"]),
        (r"e\[?]", ["e[1]"]),
        ("d/*", ["d/a", "d/s"]),
        ("*/a", ["d/a"]),
        ("*/*/b", ["d/s/b"]),
        ("d/**/b", ["d/s/b"]),
        ("**/b", []),
        ("no*", []),
    ],
)
def test_wildcards_match_component_by_component_in_sorted_order(pattern: str, expected: list[str]) -> None:
    source = view("a", "ab", ".h", "d/a", "d/s/b", "e[1]")

    assert [path for _, path in selected(source, pattern)] == expected


def test_sources_keep_their_order_and_may_repeat() -> None:
    assert selected(view("a", "b"), "b", "*") == [("b", "b"), ("a", "a"), ("b", "b")]


def test_members_of_a_directory_come_depth_first_and_sorted() -> None:
    (tree,) = select(copy("d", "/x"), view("d/a-b", "d/a/z", "d/a.b", "d/é"))

    assert [node.entry.path for node in tree.members] == ["d/a", "d/a/z", "d/a-b", "d/a.b", "d/é"]


@pytest.mark.parametrize(("source", "missing"), [("nope", "/nope"), ("d/nope", "/d/nope"), ("f/x", "/f/x")])
def test_literal_source_that_is_missing_is_not_found(source: str, missing: str) -> None:
    with pytest.raises(PathNotFound, match=rf'"{missing}": not found$'):
        selected(view("f", "d/"), source)


@pytest.mark.parametrize("source", ["nodir/*.txt", "f/*"])
def test_directories_before_the_first_wildcard_must_exist(source: str) -> None:
    with pytest.raises(PathNotFound, match=rf'"/{source.split("/")[0]}": not found$'):
        selected(view("f"), source)


def test_link_that_leads_nowhere_is_not_found() -> None:
    with pytest.raises(PathNotFound, match=r'"/l": not found$'):
        selected(view(symlink("l", "nowhere")), "l*")


def test_link_that_leads_to_itself_is_an_error() -> None:
    with pytest.raises(PathConflict, match=r"too many levels"):
        selected(view(symlink("l", "l")), "l")


@pytest.mark.parametrize("target", ["f", "/f", "../../f", "d/../f"])
def test_link_is_followed_inside_the_root_and_keeps_its_name(target: str) -> None:
    assert selected(view("f", "d/", symlink("l", target)), "l") == [("l", "f")]


def test_wildcards_do_not_lead_through_links_to_directories() -> None:
    assert selected(view("d/f", symlink("l", "d")), "*/f") == [("f", "d/f")]


def test_fixed_directories_before_a_wildcard_may_be_links() -> None:
    assert selected(view("d/f", symlink("l", "d")), "l/*") == [("f", "d/f")]


@pytest.mark.parametrize(
    ("source", "expected"), [(r"b\s", [r"b\s"]), (r"b\s/*", [r"b\s/f"]), (r"*/\[x\]", ["d/[x]"])]
)
def test_a_backslash_is_a_part_of_the_name_until_the_first_wildcard(source: str, expected: list[str]) -> None:
    stage = view("bs", r"b\s/f", "d/[x]", r"d/\[x\]")

    assert [tree.root.entry.path for tree in select(copy(source, "/x"), stage)] == expected


@given(st.text("a\\*?[]^-!{}.", min_size=1, max_size=6).filter(lambda name: name not in (".", "..")))
def test_a_name_can_be_selected_whatever_stands_in_it(name: str) -> None:
    others = ("a", "b", "ab", f"{name}a", f"\\{name}")
    source = view(*(file(each) for each in sorted({name, *others})))

    assert selected(source, f"/{exactly(name)}") == [(name, name)]


def test_malformed_wildcard_is_a_syntax_error() -> None:
    with pytest.raises(PatternError):
        selected(view("a"), "[a")


BASE = view(directory("d"), file("d/f", b"1"), symlink("d/l", "f"))


@pytest.mark.parametrize(
    "changed",
    [
        view(directory("d"), file("d/f", b"2"), symlink("d/l", "f")),
        view(directory("d"), file("d/g", b"1"), symlink("d/l", "f")),
        view(directory("d"), file("d/f", b"1", mode=0o600), symlink("d/l", "f")),
        view(directory("d"), file("d/f", b"1", uid=1), symlink("d/l", "f")),
        view(directory("d"), file("d/f", b"1", gid=1), symlink("d/l", "f")),
        view(directory("d"), file("d/f", b"1", xattrs=(("user.a", b""),)), symlink("d/l", "f")),
        view(directory("d"), file("d/f", b"1", xattrs=(("security.capability", b""),)), symlink("d/l", "f")),
        view(directory("d"), file("d/f", b"1"), symlink("d/l", "g")),
        view(directory("d"), file("d/f", b"1"), file("d/l", b"f")),
        view(directory("d"), file("d/f", b"1"), symlink("d/l", "f"), "d/new"),
        view(directory("d"), file("d/f", b"1")),
        view(directory("d"), directory("d/f"), symlink("d/l", "f")),
    ],
)
def test_content_key_changes_with_what_influences_the_result(changed: FileView) -> None:
    assert key(changed, copy("d", "/x")) != key(BASE, copy("d", "/x"))


@pytest.mark.parametrize(
    "same",
    [
        view(Node(Entry("d", "dir", mtime_ns=5)), file("d/f", b"1"), symlink("d/l", "f")),
        view(directory("d", mode=0o700, uid=9), file("d/f", b"1"), symlink("d/l", "f")),
        view(directory("d"), file("d/f", b"1"), symlink("d/l", "f"), "other"),
        view(directory("d"), file("d/f", b"1", xattrs=(("security.selinux", b"x"),)), symlink("d/l", "f")),
        view(directory("d"), file("d/f", b"1", xattrs=(("system.acl", b"x"),)), symlink("d/l", "f")),
        view(directory("d"), file("z", b"1"), hardlink("d/f", "z"), symlink("d/l", "f")),
    ],
)
def test_content_key_stays_when_nothing_that_arrives_has_changed(same: FileView) -> None:
    assert key(same, copy("d", "/x")) == key(BASE, copy("d", "/x"))


def test_content_key_ignores_what_chmod_and_chown_replace() -> None:
    action = copy("f", "/x", mode=0o644, owner=Owner(0, 0))

    assert key(view(file("f", mode=0o600, uid=3)), action) == key(view(file("f", gid=4)), action)


def test_content_key_counts_modes_that_symbolic_chmod_starts_from() -> None:
    action = copy("f", "/x", mode="+x")

    assert key(view(file("f", mode=0o600)), action) != key(view(file("f", mode=0o644)), action)


def test_content_key_of_a_directory_does_not_hold_its_name() -> None:
    source = view("a/f", file("b/f", b"a/f"))

    assert key(source, copy("a", "/x")) == key(source, copy("b", "/x"))


def test_content_key_of_a_file_holds_its_name() -> None:
    source = view(file("a", b"1"), file("b", b"1"))

    assert key(source, copy("a", "/x")) != key(source, copy("b", "/x"))


def test_content_key_tells_two_actions_from_one_with_both_sources() -> None:
    source = view("a", "b")

    assert key(source, copy("a", "b", "/x")) != key(source, copy("a", "/x"), copy("b", "/x"))


def test_content_key_of_no_match_differs_from_that_of_a_match() -> None:
    assert key(view("a"), copy("b*", "/x")) != key(view("a"), copy("a*", "/x"))


def test_operation_without_copies_has_no_content_key() -> None:
    assert FilePlan(File(base=None, actions=()), []).content_key(digest_of) is None


def test_files_of_a_plan_are_the_regular_files_alone() -> None:
    source = view("d/a", "d/s/b", symlink("d/l", "a"), Node(Entry("d/p", "fifo")))
    plan = FilePlan(File(base=None, actions=(copy("d", "/x"),)), [None, source])

    assert [node.entry.path for node in plan.files()] == ["d/a", "d/s/b"]
