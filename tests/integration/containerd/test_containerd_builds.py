"""Builds that deliver to a real daemon, and the commands that work on what it has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from subprocess import CompletedProcess

    from builder.store.containerd.address import Address

    Dockyard = Callable[..., CompletedProcess[str]]
    Ctr = Callable[..., str]

pytestmark = pytest.mark.root

NAME = "docker.io/library/hello:1"
DOCKERFILE = """\
FROM busybox
ARG TARGETARCH
RUN echo "built for $TARGETARCH" > /built
CMD ["cat", "/built"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "Dockerfile").write_text(DOCKERFILE)
    return tmp_path / "project"


@pytest.fixture
def built(
    dockyard: Dockyard, store: object, address: Address, busybox_layout: Path, project: Path, tmp_path: Path
) -> str:
    """Digest of an index for two platforms, which a build sent to the daemon. `store` empties it."""
    run(dockyard, "store", "use", "containerd", "--address", address.url, "--namespace", address.namespace)
    platforms = ("--platform", "linux/amd64,linux/arm64")
    base = f"busybox=oci-layout://{busybox_layout}"
    written = tmp_path / "digest"
    run(
        dockyard, "build", "-t", "hello:1", "--build-context", base, *platforms, "--iidfile", written, project
    )
    return written.read_text()


def run(dockyard: Dockyard, *arguments: str | Path) -> str:
    done = dockyard(*map(str, arguments))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_build_for_two_platforms_runs_at_the_daemon(built: str, ctr: Ctr) -> None:
    (line,) = ctr("images", "ls").splitlines()[1:]
    assert built in line
    assert "linux/amd64,linux/arm64" in line
    assert ctr("run", "--rm", NAME, "dockyard-test") == "built for amd64\n"


def test_the_commands_work_on_what_the_daemon_has(built: str, dockyard: Dockyard, tmp_path: Path) -> None:
    run(dockyard, "tag", "hello:1", "hello:2")
    run(dockyard, "save", "-o", tmp_path / "saved.tar", "hello:2")
    run(dockyard, "rmi", "hello:1", "hello:2")
    assert run(dockyard, "images", "-q") == ""
    run(dockyard, "load", "-i", tmp_path / "saved.tar")
    assert json.loads(run(dockyard, "images", "--format", "json"))["id"] == built


def test_a_program_of_a_foreign_platform_runs_from_the_daemon(built: str, dockyard: Dockyard) -> None:
    assert run(dockyard, "run", "--platform", "linux/arm64", "hello:1") == "built for arm64\n"


def test_an_image_of_the_daemon_is_a_base_for_builds(
    built: str, dockyard: Dockyard, ctr: Ctr, project: Path
) -> None:
    (project / "Dockerfile").write_text('FROM hello:1\nCMD ["echo", "on top"]\n')
    run(dockyard, "build", "-t", "child", project)
    assert ctr("run", "--rm", "docker.io/library/child:latest", "dockyard-test") == "on top\n"


def test_the_environment_goes_before_the_daemon_that_was_chosen(
    built: str, dockyard: Dockyard, tmp_path: Path
) -> None:
    refused = dockyard("images", environment={"CONTAINERD_ADDRESS": f"{tmp_path}/none"})
    assert refused.returncode == 1
    assert f"{tmp_path}/none does not answer" in refused.stderr
