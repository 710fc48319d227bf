"""What all tests may ask for: base images, and a state root on a file system that can hold overlay layers."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT: Final = Path(__file__).resolve().parent.parent
# An overlay's upper directory cannot lie on these, or only on some kernels.
_UNFIT: Final = frozenset(("overlay", "tmpfs", "ramfs"))

# How long an example takes says more of what else runs on the machine than of the code.
settings.register_profile("dockyard", deadline=None)
settings.load_profile("dockyard")


@pytest.fixture(scope="session")
def busybox_layout() -> Path:
    """OCI layout of the base image `busybox`: an index of six platforms."""
    made = _base("busybox")
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.strip())


@pytest.fixture(scope="session")
def debian_layout() -> Path:
    """OCI layout of the base image `debian`: one manifest, with apt and bash."""
    made = _base("debian")
    if made.returncode:
        pytest.skip(f"the Debian base image cannot be made here: {made.stderr}")
    return Path(made.stdout.strip())


@pytest.fixture(scope="session")
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of this session on a real file system."""
    wanted = (tmp_path_factory.getbasetemp(), Path("/var/tmp"), CHECKOUT)
    fit = [folder for folder in wanted if filesystem_of(folder) not in _UNFIT]
    if not fit:
        pytest.skip(
            f"none of {', '.join(map(str, wanted))} lies on a file system that can hold overlay layers"
        )
    with tempfile.TemporaryDirectory(prefix="dockyard-state-", dir=fit[0]) as folder:
        yield Path(folder)


@pytest.fixture
def dockyard_root(state_folder: Path) -> Iterator[Path]:
    """An empty state root for `--root`; removed after the test."""
    root = Path(tempfile.mkdtemp(prefix="root-", dir=state_folder))
    yield root
    shutil.rmtree(root)


def filesystem_of(folder: Path) -> str:
    """Type of the file system that `folder` lies on, as in `ext4`. Source: proc_pid_mountinfo(5)."""
    found, depth = "", -1
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mounted, _, described = line.partition(" - ")
        point = Path(mounted.split()[4])
        # Later lines cover earlier ones.
        if folder.is_relative_to(point) and len(point.parts) >= depth:
            found, depth = described.split()[0], len(point.parts)
    return found


def _base(name: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fixtures.bases", "path", name],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
