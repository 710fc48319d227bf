"""Stages: names, numbers, targets, reachability and cycles."""

from __future__ import annotations

import pytest
from dockerfiles import (
    AMD64,
    ARM64,
    World,
    failure,
    image,
    last,
    last_file,
    message,
    names,
    operations,
    target,
    vertices,
)

from builder.graph import Copy, Exec, File, Image, Local
from builder.oci.config import ContainerConfig
from builder.system.errors import DockyardError
from frontend import ImageContext, LocalContext, context_key


def runs(text: str, world: World | None = None, **options: object) -> list[str]:
    return [each.args[-1] for each in operations(target(text, world, **options)) if isinstance(each, Exec)]


def test_the_last_stage_is_the_target_by_default() -> None:
    assert runs("FROM busybox\nRUN a\nFROM busybox\nRUN b") == ["b"]


def test_a_target_is_found_by_number() -> None:
    assert runs("FROM busybox\nRUN a\nFROM busybox\nRUN b", target="0") == ["a"]


def test_a_target_is_found_by_name_in_any_case() -> None:
    assert runs("FROM busybox AS One\nRUN a\nFROM busybox\nRUN b", target="oNE") == ["a"]


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ("bulid", 'target stage "bulid" could not be found (did you mean build?)'),
        ("9", 'target stage "9" could not be found'),
        ("stage-0", 'target stage "stage-0" could not be found'),
    ],
)
def test_a_target_that_no_stage_is_called_is_refused(wanted: str, reason: str) -> None:
    assert message("FROM busybox AS build", target=wanted) == reason


def test_stages_that_the_target_does_not_need_are_never_resolved() -> None:
    world = World()
    target("FROM nowhere AS a\nFROM busybox AS b\nFROM b\nCOPY --from=debian /x /x", world)
    assert [name for name, _ in world.asked] == ["busybox", "debian"]


def test_a_stage_that_is_not_needed_is_checked_all_the_same() -> None:
    text = "FROM busybox/Upper\nFROM busybox"
    assert message(text) == (
        'failed to parse stage name "busybox/Upper": '
        "invalid reference format: repository name (busybox/Upper) must be lowercase"
    )


def test_a_stage_can_be_the_base_of_another() -> None:
    assert runs("FROM busybox AS a\nRUN one\nFROM a\nRUN two") == ["one", "two"]


def test_of_two_stages_with_one_name_the_latest_before_counts() -> None:
    assert runs("FROM busybox AS a\nRUN one\nFROM busybox AS a\nRUN two\nFROM a\nRUN three") == [
        "two",
        "three",
    ]


def test_a_base_with_capitals_is_an_image_and_no_stage() -> None:
    assert message("FROM busybox AS build\nFROM Build").startswith('failed to parse stage name "Build"')


@pytest.mark.parametrize("source", ["one", "ONE", "0"])
def test_copy_finds_its_stage_by_name_or_number(source: str) -> None:
    built = target(f"FROM busybox AS one\nRUN a\nFROM scratch\nCOPY --from={source} /a /b")
    assert [type(each) for each in operations(built)] == [Image, Exec, File]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("FROM busybox\nCOPY --from=5 a b", "invalid stage index 5"),
        ("FROM busybox\nCOPY --from=-1 a b", "invalid stage index -1"),
        (
            "FROM busybox\nCOPY --from=$X a b",
            (
                "variable expansion is not supported for --from, define a new stage with FROM using ARG from "
                "global scope as a workaround"
            ),
        ),
        (
            "FROM busybox AS a\nCOPY --from=b x y\nFROM busybox AS b\nFROM a",
            'cannot copy from stage "b", it needs to be defined before current stage "a"',
        ),
        ("FROM busybox AS a\nCOPY --from=a x y", "circular dependency detected on stage: a"),
        ("FROM busybox\nCOPY --from=0 x y", "circular dependency detected on stage: stage-0"),
        (
            "FROM busybox AS a\nCOPY --from=b x y\nFROM a AS b\nFROM busybox AS c\nCOPY --from=a x y",
            'cannot copy from stage "b", it needs to be defined before current stage "a"',
        ),
        (
            "FROM busybox AS a\nCOPY --from=b x y\nFROM busybox AS b\nCOPY --from=a x y\nFROM busybox",
            "circular dependency detected on stage: a",
        ),
        ("FROM $X", "base name ($X) should not be blank"),
        (
            "FROM busybox\nCOPY --from=a//b x y",
            "failed to parse stage name \"a//b\": invalid reference format: 'a//b'",
        ),
    ],
)
def test_a_stage_reference_that_makes_no_sense_is_refused(text: str, reason: str) -> None:
    assert message(text) == reason


def test_an_unnamed_source_index_needs_no_name() -> None:
    assert failure("FROM busybox\nFROM busybox\nCOPY --from=1 a b").message.endswith("stage: stage-1")


def test_thousands_of_stages_can_hang_on_each_other() -> None:
    chain = "".join(f"FROM s{n} AS s{n + 1}\n" for n in range(3000))
    assert target(f"FROM busybox AS s0\n{chain}RUN x").vertex is not None


def test_an_image_that_is_not_found_says_what_was_looked_for() -> None:
    error = failure("FROM alpine AS base\nFROM busyboxx")
    assert error.message == (
        "busyboxx: failed to resolve source metadata for docker.io/library/busyboxx:latest: not found "
        "(did you mean busybox?)"
    )
    assert error.location is not None
    assert error.location.first == 2


def test_an_image_is_pinned_to_the_digest_that_was_resolved() -> None:
    operation = last(target("FROM busybox"))
    assert operation == Image(
        reference=f"docker.io/library/busybox:latest@{image('busybox', AMD64).digest}",
        digest=image("busybox", AMD64).digest,
        diff_ids=image("busybox", AMD64).config.diff_ids,
        platform=AMD64,
    )


def test_scratch_alone_is_the_empty_file_system() -> None:
    built = target("FROM scratch\nENV A=1")
    assert built.vertex is None
    assert built.config.diff_ids == ()


def test_copying_from_scratch_copies_from_nothing() -> None:
    operation = last_file(target("FROM busybox\nCOPY --from=scratch /a /b"))
    (copy,) = operation.actions
    assert isinstance(copy, Copy)
    assert (operation.base, copy.input) == (0, None)


def test_a_named_context_takes_the_place_of_a_base_image() -> None:
    world = World()
    world.contexts["alpine"] = ImageContext(image("other:1", AMD64, ContainerConfig(user="app")))
    built = target("FROM docker.io/library/alpine:latest\nUSER root", world)
    assert names(built) == ["[context docker.io/library/alpine:latest] docker.io/library/other:1"]
    assert world.asked == []


def test_a_named_context_for_the_platform_comes_first() -> None:
    world = World()
    world.contexts["alpine"] = LocalContext("all")
    world.contexts["alpine::linux/amd64"] = LocalContext("some", exclude=("x",))
    built = target("FROM alpine", world)
    assert built.vertex is not None
    assert built.vertex.inputs[0].operation == Local(name="some", exclude=("x",))


def test_a_named_context_takes_the_place_of_a_whole_stage() -> None:
    world = World()
    world.contexts["deps"] = LocalContext("deps")
    built = target("FROM nowhere AS deps\nRUN never\nFROM scratch\nCOPY --from=deps /a /a", world)
    first, *_, final = names(built)
    assert (first, final) == ("[context deps] load from client", "[stage-1 1/1] COPY --from=deps /a /a")


def test_a_stage_that_is_a_directory_has_an_empty_config() -> None:
    world = World()
    world.contexts["deps"] = LocalContext("deps")
    assert target("FROM nowhere AS deps", world).config.config == ContainerConfig()


def test_a_base_that_is_a_directory_has_the_config_of_scratch() -> None:
    world = World()
    world.contexts["deps"] = LocalContext("deps")
    config = target("FROM deps", world).config.config
    assert (config.working_dir, bool(config.env)) == ("/", True)


@pytest.mark.parametrize(
    "text", ["FROM deps", "FROM x AS deps", "COPY --from=deps /a /", "RUN --mount=from=deps,target=/d x"]
)
def test_a_named_context_that_cannot_be_used_is_an_error_of_the_line_that_names_it(text: str) -> None:
    world = World()
    world.contexts["deps"] = DockyardError("no such layout", hint="make it")
    error = failure(f"FROM scratch\n{text}", world)
    assert (error.message, error.hint) == ("no such layout", "make it")
    assert error.location is not None and error.location.first == 2


def test_a_named_context_serves_copy_where_no_stage_has_the_name() -> None:
    world = World()
    world.contexts["assets"] = LocalContext("assets")
    built = target("FROM scratch\nCOPY --from=assets /a /a", world)
    assert vertices(built)[0].description.name == "[context assets] load from client"


@pytest.mark.parametrize(
    ("name", "key"),
    [("alpine", "alpine"), ("docker.io/library/alpine:latest", "alpine"), ("alpine:3", "alpine:3"),
     ("scratch", None), ("context", None), ("Upper", None)],
)  # fmt: skip
def test_named_contexts_are_kept_under_their_short_form(name: str, key: str | None) -> None:
    assert context_key(name) == key


def test_images_to_copy_from_are_resolved_for_the_target_platform() -> None:
    world = World()
    target("FROM --platform=linux/amd64 busybox\nCOPY --from=debian /a /a", world, platforms=(ARM64,))
    assert world.asked == [("busybox", "linux/amd64"), ("debian", "linux/arm64")]
