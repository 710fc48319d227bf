"""From the words of `dockyard build` to typed options, and from errors to what is printed."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from builder.api.options import BuildOptions
from builder.cli.build import command, read_options, report_failure
from builder.cli.build_flags import BuildFlags
from builder.cli.settings import Settings
from builder.graph.location import LocatedError, Location, SourceFile
from builder.store.errors import DriverError
from builder.system.errors import Cancelled, DockyardError, UsageError
from exporter.attest.options import DEFAULT_PROVENANCE, ProvenanceOptions
from exporter.outputs import CacheOnlyOutput, LoadOutput

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = Settings(root=Path("/state"))


def options(*words: str) -> BuildOptions:
    context = command.make_context("build", list(words))
    return read_options(msgspec.convert(context.params, BuildFlags), SETTINGS)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    yield


def test_a_bare_path_asks_for_the_defaults() -> None:
    assert options(".") == BuildOptions(context=".", root=Path("/state"), provenance=DEFAULT_PROVENANCE)


def test_every_flag_reaches_its_option() -> None:
    asked = options(
        *"-f sub/Dockerfile -t a:1 -t b --platform linux/amd64,linux/arm64 --target last".split(),
        *"--build-arg A=1 --build-context base=dir --label l=1 --annotation k=v".split(),
        *"--no-cache --no-cache-filter x,y --pull --network none --allow network.host".split(),
        *"--add-host db:10.0.0.1 --shm-size 64m --ulimit nofile=1:2 --cgroup-parent /g".split(),
        *"--driver docker --jobs 3 --provenance min ctx".split(),
    )

    assert asked == BuildOptions(
        context="ctx",
        dockerfile="sub/Dockerfile",
        tags=("a:1", "b"),
        platforms=("linux/amd64", "linux/arm64"),
        target="last",
        build_args={"A": "1"},
        build_contexts={"base": "dir"},
        labels={"l": "1"},
        annotations={"k": "v"},
        no_cache=True,
        no_cache_filter=("x", "y"),
        pull=True,
        network="none",
        allow=frozenset({"network.host"}),
        extra_hosts=(("db", "10.0.0.1"),),
        shm_size=64 << 20,
        ulimits=(("nofile", 1, 2),),
        cgroup_parent="/g",
        driver="docker",
        jobs=3,
        root=Path("/state"),
        provenance=ProvenanceOptions(mode="min"),
    )


@pytest.mark.parametrize(("words", "context"), [(("-",), None), (("-f", "-", "dir"), "dir")])
def test_a_dash_reads_the_dockerfile_from_standard_input(
    words: tuple[str, ...], context: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"FROM scratch\n")))

    asked = options(*words)

    assert (asked.context, asked.dockerfile, asked.dockerfile_text) == (context, None, b"FROM scratch\n")


def test_a_dockerfile_without_end_is_not_read_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/zero").open() as endless:
        monkeypatch.setattr(sys, "stdin", endless)
        with pytest.raises(UsageError, match="larger than"):
            options("-")


def test_the_classic_store_refuses_in_the_words_that_scripts_know(
    capsys: pytest.CaptureFixture[str],
) -> None:
    refusal = DriverError(
        "Multi-platform build is not supported for the docker driver.\n"
        "Switch to a different driver, or turn on the containerd image store, and try again.\n"
        "Learn more at https://docs.docker.com/go/build-multi-platform/"
    )

    assert report_failure(refusal, "plain", SETTINGS) == 1
    assert capsys.readouterr().err == (
        "[+] Building 0.0s (0/0)\n"
        "ERROR: Multi-platform build is not supported for the docker driver.\n"
        "Switch to a different driver, or turn on the containerd image store, and try again.\n"
        "Learn more at https://docs.docker.com/go/build-multi-platform/\n"
    )


def test_a_failed_step_is_reported_with_its_lines_and_its_process(capsys: pytest.CaptureFixture[str]) -> None:
    source = SourceFile("Dockerfile", "FROM base\nRUN false\n")
    error = LocatedError(
        'process "/bin/sh -c false" did not complete successfully: exit code: 1',
        location=Location(source, 2, 2),
    )

    assert report_failure(error, "plain", SETTINGS) == 1
    shown = capsys.readouterr().err
    assert shown.startswith(
        "Dockerfile:2\n--------------------\n   1 |     FROM base\n   2 | >>> RUN false\n"
    )
    assert shown.endswith(f"\nERROR: failed to build: failed to solve: {error.message}\n")


def test_an_interrupted_build_says_so_and_ends_with_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert report_failure(Cancelled(), "tty", SETTINGS) == 130
    assert capsys.readouterr().err == (
        "ERROR: failed to build: failed to solve: Canceled: context canceled\n"
    )


@pytest.mark.parametrize("mode", ["quiet", "none", "rawjson"])
def test_modes_without_progress_show_no_header_on_refusal(
    mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report_failure(DriverError("no"), mode, SETTINGS) == 1  # type: ignore[arg-type]
    assert capsys.readouterr().err == "ERROR: no\n"


def test_any_other_error_is_a_failed_solve(capsys: pytest.CaptureFixture[str]) -> None:
    assert report_failure(DockyardError("no space left"), "plain", SETTINGS) == 1
    assert capsys.readouterr().err == "ERROR: failed to build: failed to solve: no space left\n"


def test_load_adds_the_store_to_the_outputs() -> None:
    assert options("--load", "-o", "type=cacheonly", ".").outputs == (CacheOnlyOutput(), LoadOutput())
    assert options("--load", ".").outputs == (LoadOutput(),)
