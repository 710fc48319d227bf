"""ARG and ENV: who sees which value, and who wins."""

from __future__ import annotations

import pytest
from dockerfiles import AMD64, ARM64, ARMV7, World, failure, history, last_run, message, target

from builder.graph import Git
from builder.oci.config import ContainerConfig
from builder.platforms import Platform
from frontend import LocalContext, RemoteContext


def env(text: str, world: World | None = None, **options: object) -> dict[str, str]:
    """The environment of the last RUN, PATH left out."""
    return {name: value for name, value in last_run(target(text, world, **options)).env if name != "PATH"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("ARG T=3\nFROM busybox\nRUN x", {}, id="a global argument is not seen in a stage"),
        pytest.param("ARG T=3\nFROM busybox\nARG T\nRUN x", {"T": "3"}, id="unless the stage asks for it"),
        pytest.param("ARG T=3\nFROM busybox\nARG T=4\nRUN x", {"T": "4"}, id="a default of its own wins"),
        pytest.param(
            "ARG G=1\nFROM busybox\nARG G=x${G}\nRUN x", {"G": "x"}, id="a default does not see the global"
        ),
        pytest.param("FROM busybox\nARG U\nRUN x", {}, id="an unset argument is no variable"),
        pytest.param("FROM busybox\nARG E=\nRUN x", {"E": ""}, id="an empty one is"),
        pytest.param(
            "FROM busybox\nARG a=1 c=$a\nRUN x", {"a": "1", "c": "1"}, id="arguments see the ones before"
        ),
        pytest.param(
            "FROM busybox\nENV A=1\nENV A=2 B=$A\nRUN x", {"A": "2", "B": "1"}, id="ENV sees the old values"
        ),
        pytest.param("FROM busybox\nENV A=e\nARG A=g\nRUN x", {"A": "g"}, id="ARG after ENV wins"),
        pytest.param("FROM busybox\nARG A=g\nENV A=e\nRUN x", {"A": "e"}, id="ENV after ARG wins"),
        pytest.param(
            "FROM busybox\nENV A=e\nARG A\nRUN x", {"A": "e"}, id="ARG without value changes nothing"
        ),
        pytest.param("FROM busybox AS a\nARG Q=1\nFROM a\nRUN x", {"Q": "1"}, id="a child stage inherits"),
        pytest.param("FROM busybox AS a\nARG Q=1\nFROM busybox\nRUN x", {}, id="another stage does not"),
        pytest.param(
            "FROM busybox AS a\nENV A=e\nARG A=g\nFROM a\nRUN x",
            {"A": "e"},
            id="ENV wins again in a child stage",
        ),
        pytest.param("FROM busybox\nENV $A=1\nRUN x", {"": "1"}, id="a name can expand to nothing"),
        pytest.param('FROM busybox\nENV A  b  "c d"\nRUN x', {"A": "b  c d"}, id="the form without equals"),
        pytest.param(
            "FROM busybox\nARG BUILDKIT_SBOM_SCAN_STAGE=1\nRUN x", {}, id="what only the builder reads"
        ),
    ],
)
def test_a_run_step_sees_these_variables(text: str, expected: dict[str, str]) -> None:
    assert env(text) == expected


def test_a_build_argument_beats_every_default() -> None:
    text = "ARG A=1\nFROM busybox\nARG A=2\nARG B\nRUN x"
    assert env(text, build_args={"A": "9", "B": "8", "C": "7"}) == {"A": "9", "B": "8"}


def test_a_build_argument_keeps_a_default_from_being_looked_at() -> None:
    text = "ARG A=${X:?}\nFROM busybox\nARG A\nRUN x"
    assert env(text, build_args={"A": "1"}) == {"A": "1"}
    assert message(text).endswith("X: is not allowed to be unset")


def test_global_arguments_choose_the_base_image() -> None:
    world = World("base:3-slim")
    target("ARG V=3 KIND=slim\nARG TAG=$V-$KIND\nFROM base:$TAG", world)
    assert world.asked == [("base:3-slim", "linux/amd64")]


def test_a_variable_that_is_set_again_moves_to_the_end() -> None:
    run = last_run(target("FROM busybox\nENV A=1 B=2\nENV A=3\nRUN x"))
    assert [name for name, _ in run.env] == ["PATH", "B", "A"]


def test_the_image_config_keeps_the_place_of_a_variable() -> None:
    config = target("FROM scratch\nENV A=1 B=2\nENV A=3\nARG C=4").config.config
    assert config.env is not None
    assert config.env[1:] == ("A=3", "B=2")


def test_the_base_image_brings_its_variables_and_gets_a_path() -> None:
    world = World(base=ContainerConfig(env=("A=1", "ODD")))
    assert env("FROM base\nENV B=$A\nRUN x", world) == {"A": "1", "ODD": "", "B": "1"}
    config = target("FROM base", world).config.config
    assert config.env is not None
    assert config.env[:2] == ("A=1", "ODD")
    assert config.env[2].startswith("PATH=/usr/local/sbin:")


def test_a_path_of_the_base_image_stays() -> None:
    world = World(base=ContainerConfig(env=("PATH=/x",)))
    assert last_run(target("FROM base\nRUN x", world)).env == (("PATH", "/x"),)


AUTOMATIC = "ARG {}\nRUN x"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TARGETPLATFORM", "linux/arm/v7"),
        ("TARGETOS", "linux"),
        ("TARGETARCH", "arm"),
        ("TARGETVARIANT", "v7"),
        ("TARGETOSVERSION", ""),
        ("BUILDPLATFORM", "linux/amd64"),
        ("BUILDOS", "linux"),
        ("BUILDARCH", "amd64"),
        ("BUILDVARIANT", ""),
        ("BUILDOSVERSION", ""),
        ("TARGETSTAGE", "default"),
    ],
)
def test_automatic_arguments_are_there_when_a_stage_asks(name: str, value: str) -> None:
    assert env(f"FROM busybox\n{AUTOMATIC.format(name)}", platforms=(ARMV7,)) == {name: value}


def test_automatic_arguments_are_not_there_unasked() -> None:
    assert env("FROM busybox\nENV A=$TARGETARCH\nRUN x") == {"A": ""}


def test_the_target_platform_tells_the_version_of_windows() -> None:
    platform = Platform("windows", "amd64", "", "10.0.1")
    built = target("FROM scratch\nARG TARGETPLATFORM\nENV P=$TARGETPLATFORM", platforms=(platform,))
    assert built.config.config.env == ("P=windows(10.0.1)/amd64",)
    assert built.config.os_version == "10.0.1"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("FROM busybox\nARG TARGETARCH\nRUN x", {"build_args": {"TARGETARCH": "mine"}}),
        ("ARG TARGETARCH=mine\nFROM busybox\nARG TARGETARCH\nRUN x", {}),
        ("FROM busybox\nARG TARGETARCH=mine\nRUN x", {}),
    ],
)
def test_automatic_arguments_can_be_overridden(text: str, options: dict[str, object]) -> None:
    assert env(text, None, **options) == {"TARGETARCH": "mine"}


@pytest.mark.parametrize(("wanted", "value"), [("", "last"), ("FIRST", "FIRST")])
def test_the_target_stage_is_told_by_name(wanted: str, value: str) -> None:
    text = "FROM busybox AS first\nARG TARGETSTAGE\nRUN x\nFROM first AS last\nRUN y"
    assert env(text, target=wanted)["TARGETSTAGE"] == value


def test_proxies_reach_run_in_both_spellings_and_nothing_else() -> None:
    built = target(
        "FROM busybox\nENV A=$http_proxy\nRUN x", build_args={"HTTP_PROXY": "a", "http_proxy": "b"}
    )
    run = last_run(built)
    assert run.proxy_env == (("HTTP_PROXY", "b"), ("http_proxy", "b"))
    assert ("A", "") in run.env
    assert history(built)[-1] == "RUN /bin/sh -c x # buildkit"


def test_a_proxy_that_is_declared_is_an_ordinary_argument() -> None:
    text = "FROM busybox\nARG no_proxy\nRUN x"
    assert env(text, build_args={"no_proxy": "a"}) == {"no_proxy": "a"}


def test_the_epoch_marks_history_config_and_directories() -> None:
    built = target("FROM scratch\nWORKDIR /w", build_args={"SOURCE_DATE_EPOCH": "1700000000"})
    assert built.config.created == built.config.history[0].created == "2023-11-14T22:13:20Z"
    assert "1700000000" in str(built.vertex and built.vertex.operation)


def test_the_epoch_can_be_the_default_of_a_global_argument() -> None:
    built = target("ARG SOURCE_DATE_EPOCH=0012\nFROM busybox\nARG SOURCE_DATE_EPOCH\nRUN x")
    assert built.config.created == "1970-01-01T00:00:12Z"
    assert ("SOURCE_DATE_EPOCH", "12") in last_run(built).env


@pytest.mark.parametrize(
    "text", ["FROM busybox\nARG SOURCE_DATE_EPOCH=5", "ARG SOURCE_DATE_EPOCH=\nFROM busybox"]
)
def test_a_stage_argument_or_an_empty_one_sets_no_epoch(text: str) -> None:
    assert target(text).config.created is None


@pytest.mark.parametrize("value", ["abc", "1.5", "1_0", " 1", "9" * 18, "9" * 30, "٣"])
def test_an_epoch_that_is_no_moment_is_refused(value: str) -> None:
    assert (
        message("FROM busybox", build_args={"SOURCE_DATE_EPOCH": value})
        == f"invalid SOURCE_DATE_EPOCH: {value}"
    )


REPOSITORY = "https://example.com/r.git"


@pytest.mark.parametrize("source", [f"{REPOSITORY}#v1", REPOSITORY, "https://example.com/f.tar"])
def test_an_epoch_that_names_a_stage_is_the_time_of_its_source(source: str) -> None:
    world = World()
    world.times = {REPOSITORY: 77, "https://example.com/f.tar": 77}
    stage = f"FROM scratch AS src\nARG S={source}\nADD $S /x"
    text = f"{stage}\nFROM busybox\nARG SOURCE_DATE_EPOCH\nRUN x"
    built = target(text, world, build_args={"SOURCE_DATE_EPOCH": "SRC"})
    assert built.config.created == "1970-01-01T00:01:17Z"
    assert ("SOURCE_DATE_EPOCH", "77") in last_run(built).env


def test_an_epoch_that_names_a_context_is_the_time_of_that() -> None:
    world = World()
    world.contexts["src"] = RemoteContext(Git(remote=REPOSITORY))
    world.times = {REPOSITORY: 77}
    text = "ARG SOURCE_DATE_EPOCH=src\nFROM scratch AS src\nRUN x\nFROM busybox\nWORKDIR /w"
    assert target(text, world).config.created == "1970-01-01T00:01:17Z"


def test_a_context_or_a_source_without_a_time_sets_no_epoch() -> None:
    world = World()
    world.contexts["dir"] = LocalContext("dir")
    assert target("FROM busybox", world, build_args={"SOURCE_DATE_EPOCH": "dir"}).config.created is None
    text = "FROM scratch AS s\nADD https://example.com/f /\nFROM busybox"
    assert target(text, build_args={"SOURCE_DATE_EPOCH": "s"}).config.created is None


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        ("FROM busybox AS s\nADD https://e.com/f /", "must use FROM scratch"),
        ("FROM scratch AS s", "must contain exactly one remote ADD"),
        ("FROM scratch AS s\nADD https://e.com/f /\nADD https://e.com/g /", "must contain exactly one remote ADD"),
        ("FROM scratch AS s\nADD https://e.com/f https://e.com/g /", "must contain exactly one remote ADD source"),
        ("FROM scratch AS s\nADD f /", "source must be a single HTTP(S) or Git ADD"),
        ("FROM scratch AS s\nCOPY f /", "does not meet source-only requirements: unsupported COPY instruction"),
    ],
)  # fmt: skip
def test_a_stage_that_is_more_than_a_source_gives_no_epoch(stage: str, reason: str) -> None:
    error = failure(f"{stage}\nFROM busybox", build_args={"SOURCE_DATE_EPOCH": "s"})
    assert error.message == f"SOURCE_DATE_EPOCH stage {reason}"
    assert error.location is not None


def test_a_directory_as_context_has_no_epoch() -> None:
    text = "FROM busybox\nARG SOURCE_DATE_EPOCH\nRUN x"
    built = target(text, build_args={"SOURCE_DATE_EPOCH": "context"})
    assert built.config.created is None
    assert "SOURCE_DATE_EPOCH" not in dict(last_run(built).env)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("FROM --platform=$X busybox", "empty platform value from expression $X"),
        (
            "FROM --platform=$BUILDPLATFROM busybox",
            "empty platform value from expression $BUILDPLATFROM (did you mean BUILDPLATFORM?)",
        ),
    ],
)
def test_a_platform_that_is_empty_is_refused(text: str, reason: str) -> None:
    assert message(text) == reason


def test_a_platform_that_cannot_be_read_is_refused() -> None:
    assert message("FROM --platform=what busybox").startswith("failed to parse platform what: ")


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("FROM --platform= busybox", "linux/arm64"),
        ("FROM --platform=$BUILDPLATFORM busybox", "linux/amd64"),
        ("FROM --platform=linux/s390x busybox", "linux/s390x"),
    ],
)
def test_the_platform_of_a_stage_decides_which_image_it_gets(text: str, asked: str) -> None:
    world = World()
    target(text, world, platforms=(ARM64,), build_platform=AMD64)
    assert world.asked == [("busybox", asked)]


def test_a_platform_in_short_form_is_completed_by_the_build_platform() -> None:
    world = World()
    target("FROM --platform=windows busybox", world, build_platform=ARM64)
    assert world.asked == [("busybox", "windows/arm64")]


def test_a_stage_on_a_stage_runs_where_its_parent_does() -> None:
    text = "FROM --platform=$BUILDPLATFORM busybox AS a\nFROM --platform=linux/s390x a\nRUN x"
    assert last_run(target(text, platforms=(ARM64,))).platform == AMD64


def test_scratch_is_always_for_the_target_platform() -> None:
    text = "FROM --platform=$BUILDPLATFORM scratch\nRUN x"
    assert last_run(target(text, platforms=(ARM64,))).platform == ARM64
