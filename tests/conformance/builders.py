"""Both builders, with the same case: what each of them makes of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from compare import Difference, Result, differences, read_failure
from flatten import read_images

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cases import Case

    from fixtures.peers.engine import DockerEngine

Said: TypeAlias = subprocess.CompletedProcess[str]
COMMAND: Final = Path(sys.executable).with_name("dockyard")


class Builders:
    """The engine with its client, and the command on a state root of its own.

    `bases` are OCI layouts in the folder that the engine shares, by the names that cases know them by.
    """

    def __init__(self, engine: DockerEngine, *, root: Path, bases: Mapping[str, Path]) -> None:
        self._engine = engine
        self._root = root
        self._started = int(time.time())
        self._bases = [f"--build-context={name}=oci-layout://{path}" for name, path in bases.items()]

    def judge(self, case: Case) -> list[Difference]:
        """Builds the case twice and compares."""
        folder = self._engine.shared / case.folder
        context = folder / "context"
        case.make_context(context)
        with ThreadPoolExecutor(1) as beside:
            theirs = beside.submit(self._buildkit, case, context)
            ours = self._dockyard(case, context)
        return differences(theirs.result(), ours, started=self._started)

    def ask(self, question: str, dockerfile: str, name: str) -> tuple[Said, Said]:
        """What buildx and dockyard say to `--call=question` of a folder `name` with `dockerfile` alone."""
        context = self._engine.shared / name
        context.mkdir()
        (context / "Dockerfile").write_text(dockerfile)
        options = ["build", *self._bases, f"--call={question}", str(context)]
        theirs = self._engine.docker("buildx", *options)
        ours = self._run(*options)
        shutil.rmtree(context)
        return theirs, ours

    def _buildkit(self, case: Case, context: Path) -> Result:
        archive = context.parent / "buildkit.tar"
        built = self._engine.docker(
            "buildx", "build", "--provenance=false", *self._arguments(case, context, archive)
        )
        return _result(built, archive)

    def _dockyard(self, case: Case, context: Path) -> Result:
        archive = context.parent / "dockyard.tar"
        built = self._run("build", "--provenance=false", *self._arguments(case, context, archive))
        assert built.returncode in (0, 1), built.stderr
        return _result(built, archive)

    def _run(self, *arguments: str) -> Said:
        return subprocess.run(
            [str(COMMAND), "--root", str(self._root), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=120,
            check=False,
        )

    def _arguments(self, case: Case, context: Path, archive: Path) -> list[str]:
        # From the cache would come the times of another case's files: they are not part of any key.
        output = ["--no-cache", "--progress", "plain"]
        if "{archive}" not in case.options:
            output += ["-o", f"type=oci,dest={archive}"]
        return [*self._bases, *output, *case.arguments(context, archive), str(context)]


def _result(built: Said, archive: Path) -> Result:
    return Result(images=read_images(archive)) if built.returncode == 0 else read_failure(built.stderr)
