"""The builders: how each is asked for the same thing, and how it forgets what it knows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from sidebyside.measure import CommandFailed, Sample, measure
from sidebyside.registry import ADDRESS
from sidebyside.workloads import Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from fixtures.peers.engine import DockerEngine

PUSHED: Final = f"{ADDRESS}/bench/pushed:latest"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One build: the workload, its context, where an archive goes, and whether the cache may be used."""

    workload: Workload
    context: Path
    archive: Path
    fresh: bool = False


class Builder(Protocol):
    """Something that builds Dockerfiles."""

    name: str

    def forget(self) -> None:
        """Back to an empty state."""
        ...

    def build(self, request: Request) -> Sample:
        """Raises: CommandFailed, also for what it cannot do."""
        ...


class _Buildx:
    """What dockyard and BuildKit have in common: the flags."""

    def __init__(self, layouts: Mapping[str, Path]) -> None:
        self._layouts = layouts

    def arguments(self, request: Request) -> list[str]:
        """The words behind `build`."""
        workload = request.workload
        words = ["--progress=quiet", "--provenance=false"]
        if request.fresh:
            words.append("--no-cache")
        if workload.platforms:
            words.append(f"--platform={','.join(workload.platforms)}")
        if workload.pulled:
            words.append(f"--build-arg=BASE={ADDRESS}/{workload.base}:latest")
        else:
            words.append(f"--build-context=busybox=oci-layout://{self._layouts['busybox']}")
        return [*words, *self._output(request), str(request.context)]

    def _output(self, request: Request) -> list[str]:
        compression = f",compression={request.workload.compression}" if request.workload.compression else ""
        match request.workload.output:
            case "oci":
                return [f"--output=type=oci,dest={request.archive}{compression}"]
            case "push":
                return [f"--output=type=image,name={PUSHED},push=true{compression}"]
            case "cache":
                return ["--output=type=cacheonly"]


class Dockyard(_Buildx):
    """The command of this checkout, on a state root of its own."""

    name = "dockyard"

    def __init__(self, root: Path, layouts: Mapping[str, Path], inside: Sequence[str]) -> None:
        super().__init__(layouts)
        self._root = root
        self._inside = inside

    def forget(self) -> None:
        shutil.rmtree(self._root, ignore_errors=True)

    def build(self, request: Request) -> Sample:
        command = Path(sys.executable).with_name("dockyard")
        return measure(
            [*self._inside, command, "--root", self._root, "build", *self.arguments(request)],
            environment={"PATH": os.environ["PATH"], "HOME": "/root"},
        )


class BuildKit(_Buildx):
    """The BuildKit of a Docker Engine, asked through buildx; the memory of client and engine counts.

    `emulation` is a block in which this machine runs foreign programs: it builds nowhere else.
    """

    name = "BuildKit"

    def __init__(
        self,
        engine: DockerEngine,
        layouts: Mapping[str, Path],
        *,
        emulation: Callable[[], AbstractContextManager[None]],
    ) -> None:
        super().__init__(layouts)
        self._engine = engine
        self._emulation = emulation

    def forget(self) -> None:
        self._engine.docker("buildx", "prune", "--all", "--force", timeout=300)

    def build(self, request: Request) -> Sample:
        command, environment = self._engine.client("buildx", "build", *self.arguments(request))
        with self._emulation():
            return measure(command, environment=environment, daemons=(self._engine.pid,))


class Buildah:
    """buildah with its layer cache; one platform, and no registry."""

    name = "buildah"

    def __init__(self, state: Path, layouts: Mapping[str, Path]) -> None:
        self._state = state
        self._layouts = layouts

    def forget(self) -> None:
        subprocess.run([*self._command(), "rmi", "--all", "--force"], capture_output=True, check=False)
        for name, layout in self._layouts.items():
            target = (
                f"containers-storage:[overlay@{self._state}/root+{self._state}/run]localhost/{name}:latest"
            )
            copy = ["skopeo", "copy", "--quiet", f"oci:{layout}:latest", target]
            subprocess.run(copy, capture_output=True, check=False)

    def build(self, request: Request) -> Sample:
        workload = request.workload
        if workload.platforms or workload.output == "push" or workload.pulled or workload.compression:
            raise CommandFailed("not measured")
        if self.name in workload.too_long_for:
            raise CommandFailed("takes many minutes")
        words = ["build", "--quiet", "--layers", "--isolation=chroot", "--format=oci", "--tag=bench"]
        words += ["--no-cache"] if request.fresh else []
        words += [
            f"--build-arg=BASE=localhost/{workload.base}",
            f"--jobs={os.cpu_count()}",
            str(request.context),
        ]
        build = [*self._command(), *words]
        if workload.output == "cache":
            return measure(build)
        request.archive.unlink(missing_ok=True)
        push = [*self._command(), "push", "--quiet", "bench", f"oci-archive:{request.archive}:latest"]
        both = '"${@:2:$1}" && "${@:$1+2}"'
        return measure(["bash", "-c", both, "-", str(len(build)), *build, *push])

    def _command(self) -> list[str]:
        return ["buildah", "--root", f"{self._state}/root", "--runroot", f"{self._state}/run",
                "--storage-driver", "overlay"]  # fmt: skip
