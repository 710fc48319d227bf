"""Pull, push and run by real Docker Engines."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from registries import REGISTRY, registry_beside

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Peer, Project

    from tests.integration.conftest import RunDockyard

pytestmark = pytest.mark.root


class AtEngine(NamedTuple):
    """The command with the docker driver, beside an engine that has an image called `name`."""

    run: RunDockyard
    peer: Peer
    name: str

    def __call__(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return self.run(
            words[0], "--driver", "docker", *words[1:],
            stdin=stdin,
            environment={"DOCKER_HOST": self.peer.host},
        )  # fmt: skip


@pytest.fixture
def at_engine(dockyard: RunDockyard, project: Project, peer: Peer) -> AtEngine:
    name = f"{REGISTRY}/travels:1"
    project.must_build(peer, "-t", name, "--load")
    return AtEngine(dockyard, peer, name)


@pytest.fixture
def registry(peer: Peer, tmp_path: Path) -> Iterator[None]:
    """A registry on the loopback of the engine's own network."""
    with registry_beside(peer, tmp_path, storage=tmp_path / "registry"):
        yield


@pytest.mark.usefixtures("registry")
def test_an_engine_pushes_and_pulls_and_says_what(at_engine: AtEngine) -> None:
    pushed = at_engine("push", at_engine.name)
    assert pushed.returncode == 0, pushed.stderr
    assert pushed.stdout.startswith("1: digest: sha256:")
    at_engine("rmi", at_engine.name)
    pulled = at_engine("pull", at_engine.name)
    assert pulled.returncode == 0, pulled.stderr
    assert f"Status: Downloaded newer image for {at_engine.name}\n" in pulled.stdout
    assert at_engine.name in at_engine.peer.images()
    assert "Status: Image is up to date for" in at_engine("pull", at_engine.name).stdout


@pytest.mark.usefixtures("registry")
def test_what_a_registry_refuses_an_engine_is_said_once_and_clearly(at_engine: AtEngine) -> None:
    done = at_engine("pull", "-q", f"{REGISTRY}/nobody:1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ERROR: ") and "not found" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_engine_is_not_asked_for_what_it_cannot_do(at_engine: AtEngine) -> None:
    assert at_engine("pull", "--platform", "all", at_engine.name).returncode == 2
    assert at_engine("pull", "--signatures", at_engine.name).returncode == 2
    several = at_engine("pull", "--platform", "linux/amd64,linux/s390x", at_engine.name)
    assert at_engine.peer.has_containerd_store or "Multi-platform build is not supported" in several.stderr


def test_a_program_runs_at_the_engine_with_our_streams_and_its_exit_code(at_engine: AtEngine) -> None:
    words = ("-i", "--network", "none", "-e", "A=given", "-w", "/tmp", at_engine.name)
    done = at_engine("run", *words, "sh", "-c", "cat; pwd; echo $A >&2; exit 7", stdin="typed\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, "typed\n/tmp\n", "given\n")
    assert at_engine.peer.docker("ps", "--all", "--quiet") == ""


def test_a_program_that_is_not_there_leaves_no_container(at_engine: AtEngine) -> None:
    done = at_engine("run", "--network", "none", at_engine.name, "missing")
    assert done.returncode == 1 and "executable file not found" in done.stderr
    assert at_engine.peer.docker("ps", "--all", "--quiet") == ""
