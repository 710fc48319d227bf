"""Caches between dockyard and BuildKit: each reads what the other has left, though neither knows its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
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


@pytest.mark.parametrize("options", ["", ",image-manifest=false", ",compression=zstd", ",mode=min"])
def test_buildkit_imports_what_dockyard_has_left(
    project: Project, containerd: Peer, shared: Path, options: str
) -> None:
    left = project.build(
        "", f"--cache-to=type=local,dest={shared}/cache,mode=max{options}", "-o", "type=cacheonly"
    )
    assert left.returncode == 0, left.stderr
    done = containerd.client(
        "buildx",
        "build",
        "--progress=plain",
        f"--cache-from=type=local,src={shared}/cache",
        f"{shared}/context",
    )
    said = done.stderr + done.stdout
    assert done.returncode == 0, said
    number = next(line.split()[0] for line in said.splitlines() if "importing cache manifest from" in line)
    assert f"{number} DONE" in said, said


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
