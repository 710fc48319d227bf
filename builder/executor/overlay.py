"""The root of a step: its layers' trees under one overlay.

Every directory is named to the kernel by a descriptor (/proc/self/fd/N). That keeps the options of 200 layers
within the page that mount(2) has for them, needs no escaping of odd path names, and makes it impossible that
a name leads out of the trees directory between check and use. More layers are told one by one.
Source: Documentation/filesystems/overlayfs.rst of Linux ("lowerdir+", 6.5); OVL_MAX_STACK of fs/overlayfs.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from builder.executor.errors import ExecutorError
from builder.system.linux import (
    MS_NODEV,
    RESOLVE_BENEATH,
    RESOLVE_NO_SYMLINKS,
    kernel_version,
    mount,
    mount_nodev_stepwise,
    open_beneath,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

# The layer must say everything by itself: no redirects or metadata-only copies that point into lower layers.
_OPTIONS: Final = "index=off,metacopy=off,redirect_dir=off"
# A step's result is synced when it is committed, so nothing before needs to be; and the tree needs no identity
# of its own. Older kernels know one of the two or none.
_OPTIONAL: Final = ("volatile,uuid=null", "volatile", "")
_ONE_BY_ONE: Final = (6, 5)
_MAX_STACK: Final = 500
_MAX_OPTIONS: Final = os.sysconf("SC_PAGE_SIZE") - 1


def open_trees(trees_dir: str, names: Sequence[str]) -> list[int]:
    """Descriptors of the directories `names` in `trees_dir`, in their order.

    Raises: OSError for a name that is missing, leads out, or is not a directory.
    """
    root = os.open(trees_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    flags = os.O_PATH | os.O_DIRECTORY
    try:
        return [
            open_beneath(root, name, flags, resolve=RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS) for name in names
        ]
    finally:
        os.close(root)


def open_directory(path: str) -> int:
    """A descriptor that names the directory `path`."""
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def mount_lower(target: str, lower: Sequence[int]) -> None:
    """Mounts the directories `lower`, topmost first, at least two, on `target`, to look at only."""
    _mount(target, lower, _OPTIONS)


def mount_writable(target: str, lower: Sequence[int], *, upper: int, work: int) -> None:
    """Mounts `upper` over the directories `lower`, topmost first, on `target`.

    Device nodes of the image can be seen and made, but not opened: no device cgroup stands behind them.
    """
    base = f"upperdir={_named(upper)},workdir={_named(work)},{_OPTIONS}"
    for optional in _OPTIONAL:
        try:
            return _mount(target, lower, f"{base},{optional}".rstrip(","))
        except OSError as error:
            if error.errno != errno.EINVAL or not optional:
                raise
    return None


def copy_attributes(source: str, target: str) -> None:
    """Gives the directory `target` the owner, mode, extended attributes and times of `source`."""
    status = os.stat(source, follow_symlinks=False)
    os.chown(target, status.st_uid, status.st_gid)
    os.chmod(target, status.st_mode & 0o7777)
    for name in os.listxattr(source, follow_symlinks=False):
        if not name.startswith("trusted.overlay."):
            # A file system without this kind of attribute cannot have kept it in a layer either.
            with suppress(OSError):
                os.setxattr(target, name, os.getxattr(source, name, follow_symlinks=False))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _mount(target: str, lower: Sequence[int], others: str) -> None:
    options = f"lowerdir={_joined(lower)},{others}"
    if len(options) <= _MAX_OPTIONS:
        mount("overlay", target, "overlay", flags=MS_NODEV, options=options)
    elif len(lower) > _MAX_STACK:
        raise ExecutorError(
            f"the image has too many layers for one step: {len(lower)}, and Linux stacks {_MAX_STACK}",
            hint="base the stage on an image with fewer layers",
        )
    elif kernel_version() < _ONE_BY_ONE:
        raise ExecutorError(
            f"the image has too many layers for one step: their mount options take {len(options)} bytes",
            hint="base the stage on an image with fewer layers, or use Linux 6.5 or newer",
        )
    else:
        told = [("lowerdir+", _named(each)) for each in lower]
        mount_nodev_stepwise(target, "overlay", [*told, *map(_option, others.split(","))])


def _option(text: str) -> tuple[str, str | None]:
    name, equals, value = text.partition("=")
    return name, value if equals else None


def _joined(descriptors: Sequence[int]) -> str:
    return ":".join(map(_named, descriptors))


def _named(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"
