"""Which process a lease belongs to, so that what a killed one left is found: the daemon does not know.

A process is known by the boot, its process namespace, its number there and when it started, because numbers
are used again. Whether a process in another namespace lives cannot be seen from here; its leases end at their
time. Source: proc(5), `/proc/PID/stat`, field 22.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_STARTTIME: Final = 22
_AFTER_NAME: Final = 3
"""Number of the first field behind the program's name, which may hold anything."""


def this_owner() -> str:
    """Names this process, for a label."""
    pid = os.getpid()
    return f"{_place()}/{pid}/{_started(pid)}"


def is_dead(owner: str) -> bool:
    """Whether the process that `this_owner` named so is known to be gone."""
    boot, _, rest = owner.partition("/")
    here_boot, _, here_namespace = _place().partition("/")
    if boot != here_boot:
        return True
    namespace, _, process = rest.partition("/")
    pid, _, started = process.partition("/")
    return namespace == here_namespace and pid.isdecimal() and _started(int(pid)) != started


def _place() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{os.stat('/proc/self/ns/pid').st_ino}"


def _started(pid: int) -> str:
    """In clock ticks since the boot; empty when there is no such process."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return status.rpartition(")")[2].split()[_STARTTIME - _AFTER_NAME]
