"""Steps for tests: an executor, layer trees for it, and fresh directories for every step."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import msgspec

from builder.executor import Executor, Step
from builder.graph import Exec
from builder.platforms import Platform

if TYPE_CHECKING:
    from pathlib import Path

AMD64: Final = Platform("linux", "amd64")
NEVER: Final = threading.Event()


class Laboratory:
    """`trees` is shared by all tests and holds the base images; everything else is in `folder`."""

    def __init__(self, folder: Path, trees: Path) -> None:
        self.folder = folder
        self.trees = trees
        self.run_dir = folder / "run"
        self.executor = Executor(trees_dir=trees, run_dir=self.run_dir, allow=frozenset({"network.host"}))
        self.output = {1: b"", 2: b""}
        self._count = 0
        self._guard = threading.Lock()

    def step(self, *args: str, lower: tuple[str, ...] = ("amd64",), **options: object) -> Step:
        """A step that runs `args`; `options` are those of the operation."""
        with self._guard:
            self._count += 1
            upper, work = (self.folder / f"{name}-{self._count}" for name in ("upper", "work"))
        upper.mkdir()
        work.mkdir()
        # Most tests need no network, and are quicker without.
        plan = Exec(base=0, args=args, platform=AMD64, network="none")
        operation = msgspec.structs.replace(plan, **options)
        return Step(operation=operation, lower=lower, upper=upper, work=work)

    def run(self, step: Step, *, cancelled: threading.Event = NEVER) -> int:
        """The exit code of `step`; what it said is in `output` then."""
        self.output = {1: b"", 2: b""}
        return self.executor.run(step, on_output=self._collect, cancelled=cancelled)

    def sh(self, script: str, *, lower: tuple[str, ...] = ("amd64",), **options: object) -> Path:
        """Runs a shell script that must succeed; returns the directory with what it changed."""
        step = self.step("sh", "-ec", script, lower=lower, **options)
        assert self.run(step) == 0, self.text
        return step.upper

    @property
    def text(self) -> str:
        """What the last step said, standard output first."""
        return (self.output[1] + self.output[2]).decode()

    def tree(self, name: str) -> tuple[str, Path]:
        """A new, empty layer tree: what a step calls it, and where it is."""
        full = f"{self.folder.name}-{name}"
        path = self.trees / full
        path.mkdir()
        return full, path

    def _collect(self, stream: int, chunk: bytes) -> None:
        self.output[stream] += chunk
