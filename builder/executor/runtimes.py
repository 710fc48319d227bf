"""The two OCI runtimes: how each is called, and what its complaints mean.

crun is preferred, it starts in half the time. Neither may leave a trace in the host's cgroups, which a killed
build could not take back: crun is told to use none, runc finds them read-only and is told to live with it.
"""

from __future__ import annotations

import re
import shutil
from typing import Final, Literal, NamedTuple

from builder.executor.errors import ExecutorError

Kind = Literal["crun", "runc"]

# Docker's and the shell's exit codes for a program that is not there, or that is not one.
NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126

_KINDS: Final[tuple[Kind, ...]] = ("crun", "runc")
_GLOBAL_OPTIONS: Final[dict[Kind, tuple[str, ...]]] = {
    "crun": ("--cgroup-manager=disabled",),
    "runc": ("--rootless=true",),
}
_MISSING_PROGRAM: Final = re.compile(r"not found in \$PATH|exec: .*: stat .*: no such file or directory")
_REFUSED_PROGRAM: Final = re.compile(r"^open executable: |exec: .*: (permission denied|is a directory)")


class Runtime(NamedTuple):
    """A runtime of this machine; `mount` is the program that crun needs to tighten the root mount."""

    kind: Kind
    path: str
    mount: str

    def arguments(self, name: str, *, state: str, log: str, bundle: str) -> tuple[str, ...]:
        """The command that runs the container `name` in `bundle` and ends with its exit code."""
        options = _GLOBAL_OPTIONS[self.kind]
        return (self.kind, *options, "--root", state, "--log", log, "run", "--bundle", bundle, name)


def find_runtime(kinds: tuple[Kind, ...] = _KINDS) -> Runtime:
    """The first of `kinds` that is installed.

    Raises: ExecutorError when there is none.
    """
    mount = shutil.which("mount")
    for kind in kinds:
        path = shutil.which(kind)
        if path is not None and (mount is not None or kind == "runc"):
            return Runtime(kind, path, mount or "")
    raise ExecutorError(
        "this machine has no container runtime", hint="install crun or runc: apt-get install crun"
    )


def exit_code(status: int, log: str) -> int:
    """The exit code of a step whose runtime ended with `status` and logged `log`.

    Raises: ExecutorError when the runtime could not start the container; a program that is missing or may not
    be executed is the step's own failure and gets Docker's exit codes.
    """
    complaints = [line for line in log.splitlines() if "level=warning" not in line]
    if status == 0 or not complaints:
        return status
    last = complaints[-1]
    if _MISSING_PROGRAM.search(last):
        return NOT_FOUND
    if _REFUSED_PROGRAM.search(last):
        return NOT_EXECUTABLE
    raise ExecutorError(f"the container could not be started: {last}")
