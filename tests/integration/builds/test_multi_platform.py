"""One Dockerfile, several platforms, one index; equal work is done once."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from building import read_archive

if TYPE_CHECKING:
    from building import Project

pytestmark = pytest.mark.root
PLATFORMS = "linux/amd64,linux/arm64,linux/s390x"
MACHINE = """\
FROM --platform=$BUILDPLATFORM busybox AS assets
RUN uname -m > /native
FROM busybox
ARG TARGETARCH
COPY --from=assets /native /native
RUN echo "$TARGETARCH $(uname -m)" > /machine
CMD ["cat", "/machine"]
"""


def test_an_index_lists_one_manifest_for_each_platform(project: Project, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    output = f"type=oci,dest={archive}"
    outcome = project.build(MACHINE, "--provenance=false", "--platform", PLATFORMS, "-o", output)
    assert outcome.code == 0, outcome.err
    shown = subprocess.run(
        ["skopeo", "inspect", "--raw", f"oci-archive:{archive}"], capture_output=True, check=True
    )
    architectures = [each["platform"]["architecture"] for each in json.loads(shown.stdout)["manifests"]]
    assert architectures == ["amd64", "arm64", "s390x"]


@pytest.mark.parametrize(("platform", "line"), [
    ("linux/arm64", "arm64 aarch64"), ("linux/s390x", "s390x s390x"), ("linux/amd64", "amd64 x86_64"),
])  # fmt: skip
def test_run_steps_of_foreign_platforms_see_their_machine(project: Project, platform: str, line: str) -> None:
    image = project.image(MACHINE, "--platform", platform)
    assert image.text("machine") == line + "\n"


def test_a_stage_on_the_build_platform_runs_once_for_all_platforms(project: Project) -> None:
    outcome = project.build(MACHINE, "--platform", PLATFORMS, "-o", "type=cacheonly")
    assert len([step for step in outcome.executed if "uname -m > /native" in step]) == 1, outcome.err


def test_emulation_registers_nothing_on_the_host(project: Project) -> None:
    def registered() -> list[str]:
        return sorted(path.name for path in Path("/proc/sys/fs/binfmt_misc").iterdir())

    before = registered()
    outcome = project.build(MACHINE, "--platform", "linux/arm64", "-o", "type=cacheonly")
    assert (outcome.code, registered()) == (0, before), outcome.err


def test_an_image_of_another_platform_runs_from_the_store(project: Project) -> None:
    built = project.build(MACHINE, "--platform", PLATFORMS, "-t", "machine:1")
    assert built.code == 0, built.err
    ran = project.dockyard("run", "--platform", "linux/arm64", "machine:1")
    assert ran.out == "arm64 aarch64\n", ran.err


def test_an_archive_of_a_tagged_image_is_in_the_store_too(project: Project, tmp_path: Path) -> None:
    project.built(MACHINE, "-t", "machine:1", "-o", f"type=oci,dest={tmp_path / 'image.tar'}")
    assert project.dockyard("run", "machine:1").out == "amd64 x86_64\n"


def test_context_layers_are_shared_by_all_platforms(project: Project, tmp_path: Path) -> None:
    project.write("file", "content")
    archive = tmp_path / "image.tar"
    text = "FROM busybox\nCOPY file /opt/app/file\n"
    project.built(text, "--platform", PLATFORMS, "-o", f"type=oci,dest={archive}")
    tops = {
        read_archive(archive, platform).manifest["layers"][-1]["digest"] for platform in PLATFORMS.split(",")
    }
    assert len(tops) == 1


def test_an_image_on_a_foreign_base_is_what_its_base_is_when_nobody_asks(project: Project) -> None:
    image = project.image("FROM --platform=linux/arm64 busybox\nENV A=b\n")
    assert image.config["architecture"] == "arm64"
