"""Tries on this machine what a step needs, in namespaces that end with the process.

Started by `builder.executor.checks`. Says what failed on standard output and nothing when it works.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from builder.executor import overlay, private_binfmt
from builder.executor.errors import ExecutorError
from builder.system.linux import CLONE_NEWNS, CLONE_NEWPID, MS_PRIVATE, MS_REC, mount, unshare

if TYPE_CHECKING:
    from collections.abc import Callable

# Any directory will do: what is mounted here is seen by this process alone.
_PLACE: Final = "/tmp"


def main() -> None:
    """Runs as `probe overlay` or `probe emulation LINE`."""
    probes: dict[str, Callable[[], None]] = {
        "overlay": _mount_overlay,
        "emulation": lambda: private_binfmt.enter(sys.argv[2]),
    }
    try:
        unshare(CLONE_NEWNS | CLONE_NEWPID)
        child = os.fork()
        if child == 0:
            _report(probes[sys.argv[1]])
        os.waitpid(child, 0)
    except OSError as error:
        os.write(1, str(error).encode())


def _report(probe: Callable[[], None]) -> None:
    try:
        mount("none", "/", flags=MS_REC | MS_PRIVATE)
        mount("proc", "/proc", "proc")
        probe()
    except (OSError, ExecutorError) as error:
        os.write(1, str(error).encode())
    finally:
        os._exit(0)


def _mount_overlay() -> None:
    mount("tmpfs", _PLACE, "tmpfs")
    for name in ("lower", "upper", "work", "root"):
        os.mkdir(f"{_PLACE}/{name}")
    lower, upper, work = (overlay.open_directory(f"{_PLACE}/{name}") for name in ("lower", "upper", "work"))
    overlay.mount_writable(f"{_PLACE}/root", (lower,), upper=upper, work=work)
