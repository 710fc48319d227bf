"""Making a directory smaller: its files go, those that changed longest ago first."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from builder.snapshot.treesizes import disk_usage

if TYPE_CHECKING:
    from pathlib import Path


def trim(directory: Path, limit: int) -> int:
    """Removes files until `directory` takes `limit` bytes at most, or has none left; returns how many are gone.

    Directories stay, because programs expect those that they made. Nobody else may use the directory meanwhile;
    links in it are removed, never followed.
    """
    excess = disk_usage(directory) - limit
    gone = 0
    for _, size, path in sorted(_files(directory)) if excess > 0 else ():
        if excess <= 0:
            break
        os.unlink(path)
        excess -= size
        gone += 1
    return gone


def _files(directory: Path) -> list[tuple[int, int, str]]:
    """Times of change in nanoseconds, bytes that come free, and paths; a file with other names frees nothing."""
    found = []
    for parent, _, names in os.walk(directory):
        for name in names:
            path = f"{parent}/{name}"
            status = os.lstat(path)
            size = status.st_blocks * 512 if status.st_nlink == 1 else 0
            found.append((status.st_mtime_ns, size, path))
    return found
