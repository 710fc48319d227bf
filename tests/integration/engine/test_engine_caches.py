"""Caches between dockyard and BuildKit: each reads what the other has left, though neither knows its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from registries import REGISTRY, registry_beside

from tests.integration.registry.peers import serve_docker_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Peer, Project

pytestmark = pytest.mark.root
TEXT = "FROM scratch AS a\nCOPY one /\nCOPY two /\nFROM scratch\nCOPY --from=a /one /two /\n"


@pytest.fixture
def shared(project: Project, containerd: Peer, tmp_path: Path) -> Path:
    """A context that the engine sees as dockyard does, with room for caches beside it."""
    folder = containerd.shared / tmp_path.name
    (folder / "context").mkdir(parents=True)
    for name in ("one", "two"):
        (folder / "context" / name).write_text(name)
    (folder / "context/Dockerfile").write_text(TEXT)
    project.folder = folder / "context"
    return folder


@pytest.fixture
def registry(containerd: Peer, tmp_path: Path) -> Iterator[str]:
    """A registry as this machine calls it; the engine, in its own network, calls the same one `REGISTRY`."""
    with (
        serve_docker_registry(tmp_path) as served,
        registry_beside(containerd, tmp_path, storage=served.storage),
    ):
        yield served.host


def imports(peer: Peer, shared: Path, place: str) -> None:
    """BuildKit imports the cache at `place` without a complaint."""
    done = peer.client("buildx", "build", "--progress=plain", f"--cache-from={place}", f"{shared}/context")
    said = done.stderr + done.stdout
    assert done.returncode == 0, said
    number = next(line.split()[0] for line in said.splitlines() if "importing cache manifest from" in line)
    assert f"{number} DONE" in said, said


@pytest.mark.parametrize("options", ["", ",image-manifest=false", ",compression=zstd", ",mode=min"])
def test_buildkit_imports_what_dockyard_has_left(
    project: Project, containerd: Peer, shared: Path, options: str
) -> None:
    left = project.build(
        "", f"--cache-to=type=local,dest={shared}/cache,mode=max{options}", "-o", "type=cacheonly"
    )
    assert left.returncode == 0, left.stderr
    imports(containerd, shared, f"type=local,src={shared}/cache")


FORCED = ",force-compression=true,compression="


@pytest.mark.parametrize("options", ["", ",image-manifest=false", f"{FORCED}zstd", f"{FORCED}estargz"])
def test_buildkit_imports_what_dockyard_has_left_at_a_registry(
    project: Project, containerd: Peer, shared: Path, registry: str, options: str
) -> None:
    left = project.build(
        "", f"--cache-to=type=registry,ref={registry}/cache,mode=max{options}", "-o", "type=cacheonly"
    )
    assert left.returncode == 0, left.stderr
    imports(containerd, shared, f"type=registry,ref={REGISTRY}/cache")


@pytest.mark.parametrize("options", ["", ",image-manifest=false", ",mode=min"])
def test_dockyard_imports_what_buildkit_has_left(
    project: Project, containerd: Peer, shared: Path, options: str
) -> None:
    done = containerd.client(
        "buildx", "build", "--progress=plain", f"--cache-to=type=local,dest={shared}/theirs,mode=max{options}",
        f"{shared}/context",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    built = project.build("", f"--cache-from=type=local,src={shared}/theirs", "-o", "type=cacheonly")
    assert built.returncode == 0, built.stderr
    assert f"importing cache manifest from {shared}/theirs" in built.stderr
    assert "nothing is taken from it" not in built.stderr


# Not estargz: the engine's process ends when it is asked for that.
@pytest.mark.parametrize("options", ["", ",image-manifest=false", f"{FORCED}zstd"])
def test_dockyard_imports_what_buildkit_has_left_at_a_registry(
    project: Project, containerd: Peer, shared: Path, registry: str, options: str
) -> None:
    left = f"--cache-to=type=registry,ref={REGISTRY}/theirs,mode=max{options}"
    done = containerd.client("buildx", "build", "--progress=plain", left, f"{shared}/context")
    assert done.returncode == 0, done.stderr
    built = project.build("", f"--cache-from=type=registry,ref={registry}/theirs", "-o", "type=cacheonly")
    assert built.returncode == 0, built.stderr
    assert f"importing cache manifest from {registry}/theirs" in built.stderr
    assert "nothing is taken from it" not in built.stderr
