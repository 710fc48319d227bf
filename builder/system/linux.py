"""Linux calls that Python 3.11 does not wrap: namespaces, mounts, and paths that cannot leave their root.

One function a call; flags carry the kernel's names. Every failure is an OSError with the path it is about.
Source: unshare(2), setns(2), mount(2), umount2(2), prctl(2), personality(2), openat2(2), fsopen(2), fsconfig(2),
fsmount(2), move_mount(2), sync_file_range(2).
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUTS: Final = 0x04000000
CLONE_NEWIPC: Final = 0x08000000
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWPID: Final = 0x20000000
CLONE_NEWNET: Final = 0x40000000

MS_RDONLY: Final = 0x1
MS_NOSUID: Final = 0x2
MS_NODEV: Final = 0x4
MS_NOEXEC: Final = 0x8
MS_REMOUNT: Final = 0x20
MS_BIND: Final = 0x1000
MS_REC: Final = 0x4000
MS_PRIVATE: Final = 1 << 18
MS_SLAVE: Final = 1 << 19

MNT_DETACH: Final = 2

RESOLVE_NO_MAGICLINKS: Final = 0x02
RESOLVE_NO_SYMLINKS: Final = 0x04
RESOLVE_BENEATH: Final = 0x08
RESOLVE_IN_ROOT: Final = 0x10

_PR_SET_PDEATHSIG: Final = 1
_SYNC_FILE_RANGE_WRITE: Final = 2
_PER_LINUX32: Final = 0x8
_PER_QUERY: Final = 0xFFFF_FFFF
# The same numbers on every architecture: they are younger than the habit to differ.
_SYS_MOVE_MOUNT: Final = 429
_SYS_FSOPEN: Final = 430
_SYS_FSCONFIG: Final = 431
_SYS_FSMOUNT: Final = 432
_SYS_OPENAT2: Final = 437

_CLOEXEC: Final = 1
_FSCONFIG_SET_FLAG: Final = 0
_FSCONFIG_SET_STRING: Final = 1
_FSCONFIG_CMD_CREATE: Final = 6
_MOUNT_ATTR_NODEV: Final = 0x4
_MOVE_MOUNT_F_EMPTY_PATH: Final = 0x4
_AT_FDCWD: Final = -100

_libc: Final = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def unshare(flags: int) -> None:
    """Moves the calling thread into new namespaces (CLONE_NEW*)."""
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int = 0) -> None:
    """Moves the calling thread into the namespace that `fd` stands for."""
    _check(_libc.setns(fd, kind), "setns")


def mount(source: str, target: str, kind: str = "", *, flags: int = 0, options: str = "") -> None:
    """Mounts `source` on `target`; `options` is the file system's own text, at most a page long."""
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        kind.encode() or None,
        ctypes.c_ulong(flags),
        os.fsencode(options) or None,
    )
    _check(result, target)


def mount_nodev_stepwise(target: str, kind: str, options: Sequence[tuple[str, str | None]]) -> None:
    """Mounts a file system of `kind` on `target`, without devices; each option, or flag, is told by itself.

    So they may be longer than a page together, and one name may come several times (Linux 5.2).
    """
    context = _system_call(_SYS_FSOPEN, target, kind.encode(), ctypes.c_uint(_CLOEXEC))
    try:
        for name, value in options:
            command = _FSCONFIG_SET_FLAG if value is None else _FSCONFIG_SET_STRING
            told = None if value is None else os.fsencode(value)
            _configure(context, command, name.encode(), told, subject=f"{target}: {name}")
        _configure(context, _FSCONFIG_CMD_CREATE, None, None, subject=target)
        mounted = _system_call(
            _SYS_FSMOUNT,
            target,
            ctypes.c_int(context),
            ctypes.c_uint(_CLOEXEC),
            ctypes.c_uint(_MOUNT_ATTR_NODEV),
        )
    finally:
        os.close(context)
    try:
        _system_call(
            _SYS_MOVE_MOUNT,
            target,
            ctypes.c_int(mounted),
            b"",
            ctypes.c_int(_AT_FDCWD),
            os.fsencode(target),
            ctypes.c_uint(_MOVE_MOUNT_F_EMPTY_PATH),
        )
    finally:
        os.close(mounted)


def _configure(context: int, command: int, name: bytes | None, value: bytes | None, *, subject: str) -> None:
    number, unused = ctypes.c_uint(command), ctypes.c_int(0)
    _system_call(_SYS_FSCONFIG, subject, ctypes.c_int(context), number, name, value, unused)


def unmount(target: str, flags: int = 0) -> None:
    """Unmounts what is on `target`; MNT_DETACH also while it is in use."""
    _check(_libc.umount2(os.fsencode(target), flags), target)


def die_with_parent(signal: int) -> None:
    """Asks the kernel to send `signal` to this process when the thread that made it ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal), 0, 0, 0), "prctl")


def runs_32bit_programs() -> bool:
    """Whether the CPU runs the 32-bit programs of its family: Arm machines without that mode exist.

    Asks by changing the calling thread's personality, and puts it back.
    """
    before = _libc.personality(ctypes.c_ulong(_PER_QUERY))
    accepted = int(_libc.personality(ctypes.c_ulong(_PER_LINUX32)))
    _check(_libc.personality(ctypes.c_ulong(before)), "personality")
    return accepted >= 0


def kernel_version() -> tuple[int, int]:
    """Major and minor number of the running kernel."""
    major, minor = re.findall(r"\d+", os.uname().release)[:2]
    return int(major), int(minor)


def open_beneath(root: int, path: str, flags: int, *, mode: int = 0, resolve: int = RESOLVE_BENEATH) -> int:
    """Opens `path` relative to the directory `root` without ever leaving it; returns a file descriptor.

    `resolve`: RESOLVE_BENEATH refuses to leave, RESOLVE_IN_ROOT takes `root` for `/`, RESOLVE_NO_SYMLINKS
    refuses every link. Atomic: renames and links that change meanwhile cannot lead outside.
    Raises: OSError; EXDEV or ELOOP when the path would have left or met a refused link.
    """
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve | RESOLVE_NO_MAGICLINKS)
    size = ctypes.c_size_t(ctypes.sizeof(how))
    return _system_call(_SYS_OPENAT2, path, ctypes.c_int(root), os.fsencode(path), ctypes.byref(how), size)


def open_regular(root: int, path: str) -> int:
    """Opens the regular file `path` for reading, with `root` taken for `/`; returns a file descriptor.

    Links are followed inside the root. What is not a regular file is never opened, only looked at: opening a
    fifo waits, and opening a device acts.
    Raises: OSError; EINVAL for what is not a regular file.
    """
    handle = open_beneath(root, path, os.O_PATH, resolve=RESOLVE_IN_ROOT)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        return os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(handle)


def start_writeback(fd: int, offset: int, size: int) -> None:
    """Lets the kernel begin to write these bytes to disk, without waiting, so that a later fsync waits less."""
    result = _libc.sync_file_range(
        ctypes.c_int(fd), ctypes.c_int64(offset), ctypes.c_int64(size), ctypes.c_uint(_SYNC_FILE_RANGE_WRITE)
    )
    _check(result, "sync_file_range")


def _system_call(number: int, subject: str, *arguments: object) -> int:
    result = int(_libc.syscall(ctypes.c_long(number), *arguments))
    _check(result, subject)
    return result


def _check(result: int, subject: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), subject)
