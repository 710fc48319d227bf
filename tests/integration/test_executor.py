"""Steps in real containers: what they see, what they leave in the layer, and what they leave on the host."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import pytest

from builder.executor import Executor, ExecutorError, Step
from builder.graph import Exec
from builder.platforms import Platform, parse_platform
from builder.system.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")]

AMD64: Final = Platform("linux", "amd64")
NEVER: Final = threading.Event()


class Laboratory:
    """An executor, trees for it, and fresh directories for every step."""

    def __init__(self, folder: Path, *, allow: frozenset[str] = frozenset()) -> None:
        self.folder = folder
        self.trees = folder / "trees"
        self.trees.mkdir(parents=True, exist_ok=True)
        self.executor = Executor(trees_dir=self.trees, run_dir=folder / "run", allow=allow)
        self.output = b""
        self._count = 0
        self._guard = threading.Lock()

    def step(self, *args: str, lower: tuple[str, ...] = ("amd64",), **options: object) -> Step:
        with self._guard:
            self._count += 1
            upper, work = (self.folder / f"{name}-{self._count}" for name in ("upper", "work"))
        upper.mkdir()
        work.mkdir()
        # Nearly all of these tests need no network, and are quicker without.
        plan = Exec(base=0, args=args, platform=AMD64, network="none")
        return Step(
            operation=msgspec.structs.replace(plan, **options), lower=lower, upper=upper, work=work
        )

    def run(self, step: Step) -> int:
        self.output = b""
        return self.executor.run(step, on_output=self._collect, cancelled=NEVER)

    def sh(self, script: str, **options: object) -> Step:
        """Runs a shell script that must succeed; `text` is then what it said."""
        step = self.step("sh", "-ec", script, **options)  # type: ignore[arg-type]
        assert self.run(step) == 0, self.text
        return step

    @property
    def text(self) -> str:
        return self.output.decode()

    def tree(self, name: str) -> Path:
        """A new layer tree."""
        path = self.trees / name
        path.mkdir()
        return path

    def _collect(self, _stream: int, chunk: bytes) -> None:
        self.output += chunk


@pytest.fixture(scope="module")
def base(state_folder: Path, busybox_layout: Path) -> Path:
    """A folder with the trees of the base image: amd64, arm64 and s390x."""
    folder = state_folder / "executor"
    for architecture in ("amd64", "arm64", "s390x"):
        _unpack(busybox_layout, architecture, folder / "trees" / architecture)
    return folder


@pytest.fixture
def lab(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    folder = base / tmp_path_factory.mktemp("lab").name
    folder.mkdir()
    laboratory = Laboratory(folder, allow=frozenset({"network.host"}))
    for tree in (base / "trees").iterdir():
        (laboratory.trees / tree.name).mkdir()
        subprocess.run(["mount", "--bind", tree, laboratory.trees / tree.name], check=True)
    yield laboratory
    laboratory.executor.close()


def _unpack(layout: Path, architecture: str, target: Path) -> None:
    def read(descriptor: dict[str, str]) -> dict[str, list[dict[str, str]]]:
        document: dict[str, list[dict[str, str]]] = json.loads(_blob(layout, descriptor).read_bytes())
        return document

    index = read(json.loads((layout / "index.json").read_text())["manifests"][0])
    manifest = next(each for each in index["manifests"] if f'"{architecture}"' in json.dumps(each["platform"]))
    for layer in read(manifest)["layers"]:
        with tarfile.open(_blob(layout, layer)) as archive:
            archive.extractall(target, filter="fully_trusted")


def _blob(layout: Path, descriptor: dict[str, str]) -> Path:
    return layout / "blobs" / descriptor["digest"].replace(":", "/")
