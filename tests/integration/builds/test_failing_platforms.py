"""Platforms fail alone when they are asked to: the others are built, kept and, if allowed, delivered."""

from __future__ import annotations

import gzip
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from building import processes_under, read_archive

from builder import BuildOptions, PlatformsFailed, build
from tests.integration.registry.faulty_proxy import serve_faults
from tests.integration.registry.peers import serve_docker_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from building import Outcome, Project

    from tests.integration.registry.faulty_proxy import Handler

pytestmark = pytest.mark.root
PLATFORMS = ("--platform", "linux/amd64,linux/arm64,linux/s390x")
CONTINUE = ("--on-error", "continue")
ONE_FAILS = """\
FROM busybox
ARG TARGETARCH
RUN echo $TARGETARCH > /arch
RUN test $TARGETARCH != arm64 || [ -e /fixed ]
RUN echo after > /after
"""


def archive(project: Project) -> Path:
    return project.context.parent / "image.tar"


def build_all(project: Project, text: str | None, *options: str) -> Outcome:
    output = f"type=oci,dest={archive(project)}"
    return project.build(text, *PLATFORMS, *CONTINUE, "--provenance=false", "-o", output, *options)


def test_the_platforms_that_do_not_need_the_failed_step_are_finished(project: Project) -> None:
    outcome = build_all(project, ONE_FAILS)
    finished = [step for step in outcome.executed if "echo after" in step]
    assert len(finished) == 2 and not any("arm64" in step for step in finished), outcome.err


def test_the_summary_names_the_platform_with_the_lines_and_the_reason(project: Project) -> None:
    outcome = build_all(project, ONE_FAILS)
    assert outcome.code == 1
    assert "   4 | >>> RUN test $TARGETARCH != arm64" in outcome.err
    assert 'ERROR: linux/arm64: process "/bin/sh -c test $TARGETARCH != arm64' in outcome.err
    assert "ERROR: failed to build: failed to solve: 1 of 3 platforms failed: linux/arm64\n" in outcome.err
    assert "linux/amd64, linux/s390x were built, and nothing was delivered" in outcome.err


def test_nothing_is_delivered_of_an_incomplete_build(project: Project) -> None:
    build_all(project, ONE_FAILS, "-t", "x", "-o", f"type=local,dest={project.context.parent / 'files'}")
    assert not archive(project).exists() and not (project.context.parent / "files").exists()
    assert project.dockyard("images", "-q").out == ""


def test_the_next_build_does_only_what_is_missing(project: Project) -> None:
    build_all(project, ONE_FAILS)
    outcome = build_all(project, ONE_FAILS)
    assert outcome.code == 1 and outcome.executed == []
    assert any("echo after" in step for step in outcome.cached)


def test_a_partial_result_is_an_index_of_what_was_built_with_a_warning(project: Project) -> None:
    outcome = build_all(project, ONE_FAILS, "--partial", "allow", "-t", "x")
    assert outcome.code == 1 and "WARNING: the result was delivered without linux/arm64\n" in outcome.err
    inspected = json.loads(project.dockyard("inspect", "x", "--raw").out)
    assert [each["platform"]["architecture"] for each in inspected["manifests"]] == ["amd64", "s390x"]
    assert read_archive(archive(project), "linux/s390x").text("arch") == "s390x\n"


def test_a_partial_result_of_one_platform_is_an_index_still(project: Project) -> None:
    text = "FROM busybox\nARG TARGETARCH\nRUN test $TARGETARCH = amd64\n"
    build_all(project, text, "--partial", "allow", "-t", "x")
    inspected = json.loads(project.dockyard("inspect", "x", "--raw").out)
    assert [each["platform"]["architecture"] for each in inspected["manifests"]] == ["amd64"]


def test_a_shared_step_that_fails_is_shown_once_with_all_that_need_it(project: Project) -> None:
    text = (
        "FROM --platform=$BUILDPLATFORM busybox AS tools\nRUN false\n"
        "FROM busybox\nRUN true\nCOPY --from=tools /bin/sh /x\n"
    )
    outcome = build_all(project, text)
    assert outcome.err.count(">>> RUN false") == 1
    assert "ERROR: linux/amd64, linux/arm64, linux/s390x: process" in outcome.err
    assert "3 of 3 platforms failed" in outcome.err


def test_a_platform_that_the_base_image_lacks_fails_alone(project: Project) -> None:
    platforms = ("--platform", "linux/amd64,linux/mips64le")
    outcome = project.build(
        "FROM busybox\nRUN echo here > /here\n", *platforms, *CONTINUE, "--partial", "allow", "-t", "x"
    )
    assert outcome.code == 1 and "without linux/mips64le" in outcome.err, outcome.err
    assert [step for step in outcome.executed if "echo here" in step]


@pytest.fixture
def base(project: Project, tmp_path: Path) -> Iterator[str]:
    """A base image for three platforms at a registry that has lost the layer of arm64."""
    for name in ("amd64", "arm64", "s390x"):
        project.write(name, name)
    with serve_docker_registry(tmp_path / "registry") as served, serve_faults(served.host) as proxy:
        name = f"{proxy.host}/base"
        text = "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /arch\n"
        layout = tmp_path / "layout"
        outputs = ("-o", f"type=registry,name={name}", "-o", f"type=oci,tar=false,dest={layout}")
        project.built(text, *PLATFORMS, "--provenance=false", *outputs)
        lost = layer_of(layout, "arm64")

        def lose(handler: Handler) -> bool:
            is_lost = handler.path.endswith(lost)
            if is_lost:
                handler.send_error(404)
            return is_lost

        proxy.faults.append(lose)
        shutil.rmtree(project.root)
        yield name


def layer_of(layout: Path, architecture: str) -> str:
    def read(digest: str) -> Any:
        return json.loads((layout / "blobs" / digest.replace(":", "/")).read_text())

    index = read(json.loads((layout / "index.json").read_text())["manifests"][0]["digest"])
    entries = (each for each in index["manifests"] if each["platform"]["architecture"] == architecture)
    return str(read(next(entries)["digest"])["layers"][0]["digest"])


@pytest.mark.parametrize("output", ["type=oci,dest={}", "type=local,dest={}", "type=image,name=x,store=true"])
def test_a_platform_whose_layers_cannot_be_had_fails_alone(
    project: Project, base: str, tmp_path: Path, output: str
) -> None:
    place = tmp_path / "out"
    arguments = ("--provenance=false", "-o", output.format(place))
    outcome = project.build(f"FROM {base}\nLABEL a=b\n", *PLATFORMS, *CONTINUE, *arguments)
    assert outcome.code == 1, outcome.err
    assert "1 of 3 platforms failed: linux/arm64\n" in outcome.err
    assert not place.exists() and project.dockyard("images", "-q").out == ""
    outcome = project.build(None, *PLATFORMS, *CONTINUE, "--partial", "allow", *arguments)
    assert outcome.code == 1 and "WARNING: the result was delivered without linux/arm64\n" in outcome.err
    assert place.exists() or project.dockyard("images", "-q").out != ""


def test_platforms_that_fail_for_different_reasons_are_all_reported(project: Project, base: str) -> None:
    text = f"FROM {base}\nARG TARGETARCH\nCOPY only-$TARGETARCH /only\n"
    project.write("only-arm64")
    outcome = build_all(project, text, "--partial", "allow")
    assert outcome.code == 1
    assert "3 of 3 platforms failed: linux/amd64, linux/arm64, linux/s390x\n" in outcome.err, outcome.err
    assert "linux/arm64: " in outcome.err and not archive(project).exists()


def test_a_lost_cache_is_no_failure_of_a_platform(project: Project, tmp_path: Path) -> None:
    place = tmp_path / "cache"
    text = "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /arch\n"
    for name in ("amd64", "arm64", "s390x"):
        project.write(name, name)
    project.built(text, *PLATFORMS, "--cache-to", f"type=local,dest={place},mode=max", "-o", "type=cacheonly")
    for blob in (place / "blobs/sha256").iterdir():
        if blob.read_bytes()[:2] == b"\x1f\x8b" and b"arm64" in gzip.decompress(blob.read_bytes()):
            blob.write_bytes(bytes(blob.stat().st_size))
    shutil.rmtree(project.root)
    outcome = build_all(project, text, "--partial", "allow", "--cache-from", f"type=local,src={place}")
    assert outcome.code == 0, outcome.err
    assert "a layer cannot be had" in outcome.err


def test_a_mistake_in_the_text_is_said_once_for_all_platforms(project: Project) -> None:
    outcome = build_all(project, "FROM busybox\nCOPPY a b\n")
    assert outcome.code == 1 and outcome.err.count("unknown instruction: COPPY") == 1, outcome.err


def test_without_the_flag_the_first_failure_stops_all_platforms(project: Project) -> None:
    text = "FROM busybox\nARG TARGETARCH\nRUN test $TARGETARCH != amd64 && sleep 60\n"
    outcome = project.build(text, *PLATFORMS, "-o", "type=cacheonly")
    assert outcome.code == 1 and "platforms failed" not in outcome.err


def test_one_platform_that_fails_says_what_it_always_said(project: Project) -> None:
    outcome = project.build("FROM busybox\nRUN false\n", *CONTINUE, "-t", "x")
    assert outcome.code == 1 and "platforms failed" not in outcome.err
    assert 'ERROR: failed to build: failed to solve: process "/bin/sh -c false"' in outcome.err


def test_partial_results_without_going_on_are_wrong_usage(project: Project) -> None:
    outcome = project.build("FROM busybox\n", "--partial", "allow")
    assert outcome.code == 2 and "--partial=allow needs --on-error=continue" in outcome.err


def test_an_interrupt_ends_all_platforms(project: Project) -> None:
    assert project.interrupted(*PLATFORMS, *CONTINUE, "-t", "x") == 130
    assert processes_under(project.root) == []


def options(project: Project, **more: object) -> BuildOptions:
    project.write("Dockerfile", ONE_FAILS)
    return BuildOptions(
        context=str(project.context),
        root=project.root,
        build_contexts={"busybox": f"oci-layout://{project.busybox}"},
        platforms=("linux/amd64", "linux/arm64"),
        on_error="continue",
        **more,  # type: ignore[arg-type]
    )


def test_a_program_gets_the_failures_and_what_was_built(project: Project) -> None:
    with pytest.raises(PlatformsFailed) as raised:
        build(options(project))
    assert [str(each.platform) for each in raised.value.failures] == ["linux/arm64"]
    assert list(map(str, raised.value.built)) == ["linux/amd64"]


def test_a_partial_result_lists_its_failures_for_a_program(project: Project) -> None:
    result = build(options(project, partial="allow"))
    assert [str(each.platform) for each in result.platforms] == ["linux/amd64"]
    assert [str(each.platform) for each in result.failures] == ["linux/arm64"]
