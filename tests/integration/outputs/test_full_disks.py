"""Disks that are full: known before the first step, and when they become so, one clear message."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Project

pytestmark = pytest.mark.root
LARGE = """\
FROM busybox AS made
RUN head -c 30000000 /dev/urandom >/large
FROM scratch
COPY --from=made /large /large
"""


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    with disk(tmp_path / "full", "512k") as folder:
        yield folder


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for the beginning of a large image."""
    with disk(tmp_path / "small", "20m") as folder:
        yield folder


@pytest.mark.parametrize("output", ["type=oci,dest={}/x", "type=tar,dest={}/x", "type=local,dest={}/x"])
def test_a_disk_without_room_is_noticed_before_any_work(project: Project, full: Path, output: str) -> None:
    done = project.build("-o", output.format(full))
    assert done.returncode == 1
    assert f"ERROR: failed to build: failed to solve: no room for {full}/x: 512 KiB" in done.stderr
    assert "load build definition" not in done.stderr


def test_an_optional_output_without_room_is_left_out(project: Project, full: Path) -> None:
    said = project.must_build("-o", f"type=tar,dest={full}/x,optional=true", "-o", "out", "--target", "files")
    assert "is left out: no room for" in said
    assert (project.folder / "out/machine").exists()


@pytest.mark.parametrize(
    "output", ["type=oci,dest={}/x", "type=docker,dest={}/x", "type=tar,dest={}/x", "type=local,dest={}/x"]
)
def test_a_disk_that_becomes_full_is_one_clear_message(project: Project, small: Path, output: str) -> None:
    (project.context / "Dockerfile").write_text(LARGE)
    done = project.build("-o", output.format(small))
    assert done.returncode == 1
    assert "No space left on device" in done.stderr and "Traceback" not in done.stderr
    assert sum(line.startswith("ERROR: ") for line in done.stderr.splitlines()) == 1
    assert not (small / "x").is_file()
    assert project.dockyard("store", "gc", "--check") == "The store is sound.\n"
