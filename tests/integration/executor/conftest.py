"""Base images unpacked for the executor, and a laboratory on them."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from laboratory import Laboratory

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def base_trees(state_folder: Path, busybox_layout: Path) -> Path:
    """The trees directory with the file systems of `busybox`: amd64, arm64 and s390x."""
    trees = state_folder / "executor-trees"
    for architecture in ("amd64", "arm64", "s390x"):
        _unpack(busybox_layout, architecture, trees / architecture)
    return trees


@pytest.fixture
def lab(base_trees: Path, state_folder: Path) -> Iterator[Laboratory]:
    """An executor of this test, closed after it."""
    if os.geteuid() != 0:
        pytest.skip("containers need root")
    laboratory = Laboratory(Path(tempfile.mkdtemp(prefix="lab-", dir=state_folder)), base_trees)
    with laboratory.executor:
        yield laboratory


def _unpack(layout: Path, architecture: str, target: Path) -> None:
    (index,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    manifests = json.loads(_blob(layout, index).read_bytes())["manifests"]
    (manifest,) = (each for each in manifests if each["platform"]["architecture"] == architecture)
    for layer in json.loads(_blob(layout, manifest).read_bytes())["layers"]:
        target.mkdir(parents=True, exist_ok=True)
        command = ["tar", "--numeric-owner", "-xpf", str(_blob(layout, layer)), "-C", str(target)]
        subprocess.run(command, check=True)


def _blob(layout: Path, descriptor: dict[str, str]) -> Path:
    return layout / "blobs" / descriptor["digest"].replace(":", "/")
