"""RUN, and the names under which progress shows steps."""

from __future__ import annotations

import pytest
from dockerfiles import AMD64, ARM64, ARMV7, World, image, last_run, message, names, read, target, vertices

from builder.graph import Exec, walk
from builder.oci.config import DEFAULT_PATH
from builder.platforms import Platform
from frontend import ImageContext, LocalContext

IMAGE = "FROM docker.io/library/busybox:latest"


def test_a_run_step_is_a_process_with_the_settings_of_its_stage() -> None:
    text = "FROM busybox\nENV A=1\nUSER me\nWORKDIR /a/../b\nRUN make it"
    assert last_run(target(text)) == Exec(
        base=0,
        args=("/bin/sh", "-c", "make it"),
        env=(("PATH", DEFAULT_PATH), ("A", "1")),
        cwd="/b",
        user="me",
        platform=AMD64,
    )


def test_the_exec_form_needs_no_shell() -> None:
    assert last_run(target('FROM busybox\nRUN ["a", "$B c"]')).args == ("a", "$B c")


def test_a_run_step_without_words_is_refused() -> None:
    assert message("FROM busybox\nRUN []") == "arguments are required"


def test_a_run_step_on_scratch_has_no_base() -> None:
    assert last_run(target("FROM scratch\nRUN x")).base is None


def test_a_stage_that_is_a_directory_still_has_a_path_to_run_with() -> None:
    world = World()
    world.contexts["rootfs"] = LocalContext("rootfs")
    assert last_run(target("FROM a AS rootfs\nFROM rootfs\nRUN x", world)).env == (("PATH", DEFAULT_PATH),)


@pytest.mark.parametrize(
    ("flag", "network", "expected"),
    [("", "none", "none"), ("--network=default", "host", "host"), ("--network=none", "host", "none"),
     ("--network=host", "default", "host")],
)  # fmt: skip
def test_the_network_of_a_step_beats_that_of_the_build(flag: str, network: str, expected: str) -> None:
    assert last_run(target(f"FROM busybox\nRUN {flag} x", network=network)).network == expected


def test_limits_and_hosts_of_the_caller_reach_every_step() -> None:
    run = last_run(
        target(
            "FROM busybox\nRUN x",
            hostname="h",
            extra_hosts=(("a", "1.2.3.4"),),
            shm_size=5,
            ulimits=(("nofile", 1, 2),),
            cgroup_parent="c",
        )
    )
    assert (run.hostname, run.extra_hosts, run.shm_size) == ("h", (("a", "1.2.3.4"),), 5)
    assert (run.ulimits, run.cgroup_parent) == ((("nofile", 1, 2),), "c")


def test_the_hostname_can_be_a_build_argument() -> None:
    assert (
        last_run(target("FROM busybox\nRUN x", build_args={"BUILDKIT_SANDBOX_HOSTNAME": "h"})).hostname == "h"
    )


def ignoring(text: str, no_cache: bool | tuple[str, ...]) -> list[str]:
    built = target(text, no_cache=no_cache)
    return [each.description.name for each in vertices(built) if each.description.ignore_cache]


def test_the_cache_can_be_ignored_for_all_stages() -> None:
    text = "FROM busybox\nWORKDIR /w\nRUN x\nCOPY a b"
    assert ignoring(text, no_cache=True) == ["[3/4] RUN x", "[4/4] COPY a b"]
    assert ignoring(text, no_cache=False) == []


def test_the_cache_can_be_ignored_for_stages_by_name() -> None:
    text = "FROM busybox AS a\nRUN x\nFROM a AS b\nRUN y\nFROM b\nRUN z"
    assert ignoring(text, no_cache=("A", "nosuch", "", "stage-2")) == ["[a 2/2] RUN x"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM busybox\nRUN x", [f"[1/2] {IMAGE}", "[2/2] RUN x"]),
        (
            "FROM busybox AS a\nRUN x\nFROM alpine\nWORKDIR /w\nCOPY --from=a /x y",
            ["[stage-1 1/3] FROM docker.io/library/alpine:latest", "[stage-1 2/3] WORKDIR /w", f"[a 1/2] {IMAGE}",
             "[a 2/2] RUN x", "[stage-1 3/3] COPY --from=a /x y"],
        ),
        ("FROM scratch\nCOPY a b", ["[internal] load build context", "[1/1] COPY a b"]),
        ("FROM scratch\nCOPY --from=busybox a b", [IMAGE, "[stage-0 1/1] COPY --from=busybox a b"]),
        (
            "FROM scratch\nARG V=1\nENV W=\"a b\"\nRUN echo $V ${W} \"$W\" $U ${U:-d}",
            ['[1/1] RUN echo 1 a b "a b" $U ${U:-d}'],
        ),
        ("FROM scratch AS b\nRUN x\nFROM b\nRUN y", ["[b 1/1] RUN x", "[stage-1 1/1] RUN y"]),
        ("FROM scratch\nARG V=1\nworkdir $V", ["[1/1] WORKDIR 1"]),
        ("FROM scratch\nWORKDIR /\nrun x", ["[1/2] RUN x"]),
        (
            "FROM scratch\nARG V=1\nCOPY \"$V\" ${U:-d} /x/",
            ["[internal] load build context", "[1/1] COPY 1 d /x/"],
        ),
        (
            "FROM scratch\nRUN x\nCOPY --link q /r",
            ["[1/2] RUN x", "[internal] load build context", "[2/2] COPY --link q /r",
             "[2/2] LINK COPY --link q /r"],
        ),
        ("FROM busybox\nENV A=1", [f"[1/1] {IMAGE}"]),
    ],
)  # fmt: skip
def test_steps_are_numbered_and_named_by_their_text(text: str, expected: list[str]) -> None:
    assert names(target(text)) == expected


def test_numbers_are_as_wide_as_the_total() -> None:
    shown = names(target("FROM scratch\n" + "RUN x\n" * 10))
    assert (shown[0], shown[9]) == ("[ 1/10] RUN x", "[10/10] RUN x")


def test_a_base_from_a_named_context_takes_no_number() -> None:
    world = World()
    world.contexts["busybox"] = ImageContext(image("busybox", AMD64))
    assert names(target("FROM busybox\nRUN x", world))[-1] == "[1/2] RUN x"


def multi(text: str, *platforms: Platform) -> list[str]:
    built = read(text, platforms=platforms)
    roots = [each.vertex for each in built.targets if each.vertex]
    return [each.description.name.partition("@sha256")[0] for each in walk(roots)]


def test_with_several_platforms_each_step_says_its_own() -> None:
    assert multi("FROM busybox\nRUN x", AMD64, ARMV7) == [
        f"[linux/amd64 1/2] {IMAGE}",
        "[linux/amd64 2/2] RUN x",
        f"[linux/arm/v7 1/2] {IMAGE}",
        "[linux/arm/v7 2/2] RUN x",
    ]


@pytest.mark.parametrize(
    "argument", ["TARGETPLATFORM", "TARGETARCH", "TARGETARCH TARGETVARIANT", "TARGETOS TARGETARCH"]
)
def test_a_stage_that_builds_for_another_platform_shows_an_arrow(argument: str) -> None:
    text = f"FROM --platform=$BUILDPLATFORM busybox\nRUN a\nARG {argument}\nRUN x"
    shown = multi(text, AMD64, ARM64)
    assert shown[-1] == "[linux/amd64->arm64 3/3] RUN x"
    assert "[linux/amd64 2/3] RUN a" in shown
    assert "[linux/amd64 3/3] RUN x" in shown


def test_the_arrow_tells_what_differs() -> None:
    text = "FROM --platform=linux/arm/v6 busybox\nARG TARGETPLATFORM\nRUN x"
    assert multi(text, ARMV7, Platform("windows", "amd64"))[1] == "[linux/arm/v6->v7 2/2] RUN x"
    assert multi(text, ARMV7, Platform("windows", "amd64"))[-1] == "[linux/arm/v6->windows/amd64 2/2] RUN x"


SHARED = """
FROM --platform=$BUILDPLATFORM busybox AS build
WORKDIR /src
COPY . .
RUN make
FROM busybox
COPY --from=build /src/out /out
"""


def test_a_stage_on_the_build_platform_is_the_same_work_for_all_targets() -> None:
    first, second = read(SHARED, platforms=(AMD64, ARM64)).targets
    makes = [
        {each.digest for each in vertices(built) if each.description.name.endswith("RUN make")}
        for built in (first, second)
    ]
    assert makes[0] == makes[1]
    assert first.vertex is not None
    assert second.vertex is not None
    assert first.vertex.digest != second.vertex.digest


def test_targets_stand_in_the_order_of_the_platforms() -> None:
    built = read("FROM busybox", platforms=(ARM64, AMD64))
    assert [each.platform for each in built.targets] == [ARM64, AMD64]
    assert [each.platform for each in read("FROM busybox").targets] == [AMD64]


def test_every_step_knows_its_stage_and_its_lines() -> None:
    built = target("FROM busybox AS a\nFROM a AS b\nRUN x \\\n y")
    assert built.vertex is not None
    description = built.vertex.description
    assert (description.stage, str(description.location)) == ("b", "Dockerfile:3")


def test_locations_call_the_file_what_the_caller_calls_it() -> None:
    built = target("FROM busybox", filename="sub/My.Dockerfile")
    assert built.vertex is not None
    assert str(built.vertex.description.location) == "sub/My.Dockerfile:1"


def test_the_same_text_gives_the_same_graph() -> None:
    first, second = (read(SHARED, platforms=(AMD64, ARM64)) for _ in range(2))
    assert [each.vertex and each.vertex.digest for each in first.targets] == [
        each.vertex and each.vertex.digest for each in second.targets
    ]
