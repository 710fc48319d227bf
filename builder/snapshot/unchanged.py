"""What an overlay copied up and nobody changed: it is no part of the layer that a step leaves.

The kernel copies a file up when somebody opens it to write or gives it the mode that it has, and a directory when a
name in it changes. A directory counts only for its own attributes and for what is below it. One that does not count
stays in the tree with a mark, because the steps that follow see the time that it has now.
Source: BuildKit's util/overlay, which leaves the same out of layers.
"""

from __future__ import annotations

import filecmp
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from builder.snapshot.disk import LAYER_XATTRS
from builder.snapshot.marks import OPAQUE_XATTR, UNCHANGED_XATTR

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

# What lies deeper has no path that every system call takes; it stays as the step left it.
_MAX_PATH: Final = 3500


def set_unchanged_aside(upper: Path, lower: Iterable[Path]) -> None:
    """Removes files from `upper`, which no overlay uses any more, that are so in the trees `lower`, topmost first.

    Marks the directories that then say nothing. Looks only at what both have. Raises: OSError.
    """
    _counts_below(str(upper), [str(each) for each in lower])


def _counts_below(upper: str, lower: Sequence[str]) -> bool:
    """Whether anything below `upper` is part of the layer."""
    before = os.lstat(upper)
    counts = dropped = False
    with os.scandir(upper) as found:
        entries = [*found]
    for entry in entries:
        status = entry.stat(follow_symlinks=False)
        if len(entry.path) > _MAX_PATH:
            counts = True
        elif stat.S_ISDIR(status.st_mode):
            counts |= _directory_counts(entry.path, status, lower)
        elif status.st_nlink == 1 and _is_same_file(entry.path, status, lower):
            os.unlink(entry.path)
            dropped = True
        else:
            counts = True
    if dropped:
        os.utime(upper, ns=(before.st_atime_ns, before.st_mtime_ns))
    return counts


def _directory_counts(path: str, status: os.stat_result, lower: Sequence[str]) -> bool:
    below = [] if _is_opaque(path) else _merged(os.path.basename(path), lower)
    if not below:
        return True
    counts = _counts_below(path, below)
    counts |= _attributes(path, status) != _attributes(below[0], os.lstat(below[0]))
    # A mark that came up from a lower tree goes with the rest of its attributes.
    with suppress(OSError):
        if counts:
            os.removexattr(path, UNCHANGED_XATTR)
        else:
            os.setxattr(path, UNCHANGED_XATTR, b"y")
    return counts


def _merged(name: str, lower: Sequence[str]) -> list[str]:
    """The directories that an overlay shows as one under `name`."""
    merged: list[str] = []
    for each in lower:
        path = f"{each}/{name}"
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            continue
        if not stat.S_ISDIR(status.st_mode):
            break
        merged.append(path)
        if _is_opaque(path):
            break
    return merged


def _is_same_file(path: str, status: os.stat_result, lower: Sequence[str]) -> bool:
    name = os.path.basename(path)
    below = next((each for each in (f"{tree}/{name}" for tree in lower) if os.path.lexists(each)), None)
    if below is None:
        return False
    found = os.lstat(below)
    if (found.st_mtime_ns, found.st_size) != (status.st_mtime_ns, status.st_size):
        return False
    if _attributes(path, status) != _attributes(below, found):
        return False
    if stat.S_ISLNK(status.st_mode):
        return os.readlink(path) == os.readlink(below)
    return stat.S_ISREG(status.st_mode) and filecmp.cmp(path, below, shallow=False)


def _attributes(path: str, status: os.stat_result) -> tuple[object, ...]:
    names = () if stat.S_ISLNK(status.st_mode) else os.listxattr(path, follow_symlinks=False)
    kept = sorted(LAYER_XATTRS.intersection(names))
    xattrs = tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in kept)
    return status.st_mode, status.st_uid, status.st_gid, xattrs


def _is_opaque(path: str) -> bool:
    return OPAQUE_XATTR in os.listxattr(path, follow_symlinks=False)
