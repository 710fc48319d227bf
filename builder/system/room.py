"""Room on disks, looked at before work starts.

How large a result will be is not known then. But a disk that is full already is, and no build ends well on it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from pathlib import Path

_BYTES: Final = 1 << 20
_FILES: Final = 16


class NoRoom(DockyardError):
    """A disk is full."""


def require_room(path: Path) -> None:
    """Looks whether the disk that has `path`, or is going to, takes anything at all.

    Raises: NoRoom when fewer than 1 MiB or 16 files are left there; OSError when nobody can tell.
    """
    place = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    found = os.statvfs(place)
    free = found.f_bavail * found.f_frsize
    # File systems that make inodes when they need them say that they have none.
    files_left = found.f_favail if found.f_files else _FILES
    if free < _BYTES or files_left < _FILES:
        raise NoRoom(
            f"no room for {path}: {free >> 10} KiB and {files_left} files are left on the disk of {place}",
            hint="free some, or name another disk; `dockyard store gc` removes what no image needs",
        )
