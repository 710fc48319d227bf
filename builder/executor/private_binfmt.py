"""A user namespace with an emulator registered in a binfmt_misc of its own.

What is registered there is seen by the step's processes and by nobody else, and is gone with them.
"""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING, Final

from builder.executor.errors import ExecutorError
from builder.system.linux import CLONE_NEWNS, CLONE_NEWUSER, mount, unshare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.executor.spec import Limit

_BINFMT_MISC: Final = "/proc/sys/fs/binfmt_misc"
# One id less than all: runtimes take the full map for "not in a user namespace", and then try to make device
# nodes, which no user namespace may.
_IDENTITY_MAP: Final = "0 0 4294967294"


def enter(line: str) -> None:
    """Moves this process, alone in its PID namespace, to a user namespace where `line` is registered.

    Ids mean the same inside and outside. Mounts made before stay as they are and cannot be loosened.
    Raises: ExecutorError when the kernel refuses.
    """
    try:
        _enter_user_namespace()
        mount("binfmt_misc", _BINFMT_MISC, "binfmt_misc")
        with open(f"{_BINFMT_MISC}/register", "w", encoding="ascii") as register:
            register.write(line)
    except OSError as error:
        raise ExecutorError(
            f"the kernel refused to register the emulator privately: {error}",
            hint="allow user namespaces (sysctl user.max_user_namespaces), or register it on the host",
        ) from error


def apply_limits(limits: Sequence[Limit]) -> None:
    """Sets `limits` on this process: from inside the namespace they could only be lowered.

    Raises: ExecutorError when the machine does not allow one.
    """
    for limit in limits:
        values = (_signed(limit["soft"]), _signed(limit["hard"]))
        try:
            resource.setrlimit(getattr(resource, limit["type"]), values)
        except (OSError, ValueError) as error:
            asked = f"{limit['type']} cannot be {limit['soft']}:{limit['hard']}"
            raise ExecutorError(f"{asked} on this machine: {error}") from error


def _signed(value: int) -> int:
    return resource.RLIM_INFINITY if value >= 2**63 else value


def _enter_user_namespace() -> None:
    """Only a process of the namespace above may write a map of more than one id: a child waits to do it."""
    entered, tell = os.pipe()
    writer = os.fork()
    if writer == 0:
        status = 1
        try:
            os.close(tell)
            os.read(entered, 1)
            for kind in ("uid", "gid"):
                with open(f"/proc/{os.getppid()}/{kind}_map", "w", encoding="ascii") as file:
                    file.write(_IDENTITY_MAP)
            status = 0
        finally:
            os._exit(status)
    try:
        unshare(CLONE_NEWUSER | CLONE_NEWNS)
    finally:
        os.close(entered)
        os.close(tell)
        _, status = os.waitpid(writer, 0)
    if status != 0:
        raise PermissionError("the id map could not be written")
