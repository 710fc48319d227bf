"""The places in an image where a container mounts something: /proc, /sys, /dev, /etc/hosts, /etc/resolv.conf.

A runtime makes those that the image lacks, and they would end in the layer; cleaning them up afterwards has
removed files of hosts before (CVE-2024-23652). Here they come from a layer of their own between the image and
what the step writes, and vanish with it: a step that changes nothing leaves nothing, and no time has moved.
Only /proc, /sys and /dev stay in an image that lacks them, because BuildKit leaves them there.
The image is hostile: links are resolved inside it, and /proc, /sys and /dev must be directories themselves
(CVE-2019-19921, CVE-2026-41579).
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from builder.executor.errors import ExecutorError
from builder.executor.overlay import copy_attributes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.executor.mounts import MountPoint

_DIRECTORIES: Final = ("proc", "sys", "dev")
_FILES: Final = ("etc/hosts", "etc/resolv.conf")
_MAX_LINKS: Final = 40


def make_stubs(
    view: str, stubs: str, *, upper: str, files: Sequence[str] = (), points: Sequence[MountPoint] = ()
) -> None:
    """Makes in the empty directory `stubs` the mount points that the image at `view` does not have.

    What is to stay is made in the empty directory `upper` instead. `files` are paths of files that are
    mounted besides the usual ones, and `points` what the step itself asked for. A directory that the image has
    already keeps its attributes there.
    Raises: ExecutorError when the image has something else in such a place.
    """
    for path in _DIRECTORIES:
        location, mode = locate(view, path)
        if location != path or (mode is not None and not stat.S_ISDIR(mode)):
            raise ExecutorError(
                f"the image's /{path} is not a directory",
                hint="a container needs a directory of its own there",
            )
        if mode is None:
            _make_directory(upper, path)
    for path in (*_FILES, *files):
        location, mode = locate(view, path)
        if mode is not None and not stat.S_ISREG(mode):
            raise ExecutorError(
                f"the image's /{path} is not a regular file", hint="a container needs a file of its own there"
            )
        if mode is None:
            _make_file(stubs, location)
    for point in points:
        _make_point(view, stubs, point)
    _copy_directory_attributes(view, stubs)


def _make_point(view: str, stubs: str, point: MountPoint) -> None:
    location, mode = locate(view, point.path)
    if mode is None:
        (_make_directory if point.is_directory else _make_file)(stubs, location)
    elif stat.S_ISDIR(mode) != point.is_directory:
        found, mounted = ("directory", "file") if stat.S_ISDIR(mode) else ("file", "directory")
        raise ExecutorError(
            f"the image's /{point.path} is a {found}, but a {mounted} is mounted there",
            hint="choose another target for the mount",
        )


def locate(view: str, path: str) -> tuple[str, int | None]:
    """Where `path` really lies in the tree `view`, without links, and its mode; None when nothing is there.

    What does not exist is resolved by its text. Raises: ExecutorError for a loop or a path through a file.
    """
    pending = path.split("/")[::-1]
    found: list[str] = []
    mode: int | None = None
    links = 0
    while pending:
        name = pending.pop()
        if name == "..":
            found = found[:-1]
        elif name not in ("", "."):
            mode = _mode(view, [*found, name])
            if mode is None or not stat.S_ISLNK(mode):
                found.append(name)
                continue
            links += 1
            if links > _MAX_LINKS:
                raise ExecutorError(f"the image's /{path} is a loop of symbolic links")
            target = os.readlink("/".join((view, *found, name)))
            found = [] if target.startswith("/") else found
            pending.extend(target.split("/")[::-1])
    return "/".join(found), _mode(view, found)


def _mode(view: str, parts: list[str]) -> int | None:
    try:
        return os.lstat("/".join((view, *parts))).st_mode
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise ExecutorError(f"the image's /{'/'.join(parts[:-1])} is not a directory") from error


def _make_directory(stubs: str, path: str) -> None:
    os.makedirs(f"{stubs}/{path}", 0o755, exist_ok=True)


def _make_file(stubs: str, path: str) -> None:
    parent, _, _ = path.rpartition("/")
    _make_directory(stubs, parent)
    os.close(os.open(f"{stubs}/{path}", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))


def _copy_directory_attributes(view: str, stubs: str) -> None:
    # After everything was made in them, so that the times stay.
    for directory, _, _ in os.walk(stubs):
        path = directory.removeprefix(stubs).lstrip("/")
        if path and _mode(view, path.split("/")) is not None:
            copy_attributes(f"{view}/{path}", directory)
