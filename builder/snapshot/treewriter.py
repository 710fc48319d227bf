"""Entries onto a disk: each made below an open root, through no link, with exact attributes.

The order is that of containerd: content, owner, extended attributes, mode (a change of owner clears setuid and
capabilities), times; those of directories at the very end, since filling a directory changes them.
A whiteout becomes the device 0:0 and an opaque directory gets overlayfs's mark, so that the tree can be mounted.
Source: Linux, Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories".
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final, Self

from builder.snapshot.errors import InvalidLayer, SnapshotError
from builder.snapshot.marks import OPAQUE_XATTR
from builder.system.linux import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, open_beneath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import TracebackType

    from builder.snapshot.entry import Entry

ROOT_MODE: Final = 0o755

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_PARENT: Final = os.O_PATH | os.O_DIRECTORY
_OPEN_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY
_NO_LINKS: Final = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS
_TYPES: Final = {"char": stat.S_IFCHR, "block": stat.S_IFBLK, "fifo": stat.S_IFIFO, "whiteout": stat.S_IFCHR}
_HOSTILE: Final = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EINVAL, errno.EILSEQ, errno.EMLINK)
"""What the kernel answers to names and links that no honest layer has."""


class TreeWriter:
    """Makes a tree below an empty directory; use in a `with` block.

    Methods raise InvalidLayer where an entry asks for what cannot be, SnapshotError where the disk fails.
    """

    def __init__(self, directory: Path) -> None:
        """Raises: OSError when `directory` is not there."""
        self._root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._parent = ""
        self._parent_fd = self._root
        os.fchmod(self._root, ROOT_MODE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for fd in {self._root, self._parent_fd}:
            os.close(fd)

    def file(self, entry: Entry, fill: Callable[[int], None]) -> None:
        """Makes the file of `entry`; `fill` writes its content to a descriptor."""
        try:
            parent, name = self._locate(entry.path)
            fd = os.open(name, _CREATE, 0o600, dir_fd=parent)
            try:
                fill(fd)
                os.fchown(fd, entry.uid, entry.gid)
                _set_xattrs(fd, entry)
                os.fchmod(fd, entry.mode)
                os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
            finally:
                os.close(fd)
        except OSError as error:
            raise _failure(entry.path, error) from error

    def make(self, entry: Entry) -> None:
        """Makes what is not a regular file. Directories get their times from `finish`."""
        try:
            parent, name = self._locate(entry.path)
            match entry.kind:
                case "dir":
                    os.mkdir(name, 0o700, dir_fd=parent)
                    self._describe_directory(entry)
                    return
                case "hardlink":
                    self._link(entry, parent, name)
                    return
                case "symlink":
                    os.symlink(entry.link, name, dir_fd=parent)
                case "char" | "block" | "fifo" | "whiteout":
                    os.mknod(name, _TYPES[entry.kind], os.makedev(*entry.device), dir_fd=parent)
                case "file":
                    raise ValueError(f"{entry.path!r} is a file and needs content")
            if entry.kind != "whiteout":
                self._describe(entry, parent, name)
        except OSError as error:
            raise _failure(entry.path, error) from error

    def describe(self, entry: Entry) -> None:
        """Gives a directory that is there the attributes of `entry`."""
        try:
            self._describe_directory(entry)
        except OSError as error:
            raise _failure(entry.path, error) from error

    def remove(self, entry: Entry) -> None:
        """Removes what was made of `entry`; a directory must be empty."""
        try:
            if entry.kind == "dir":
                # The descriptor kept for the next entry must not outlive the name of its directory.
                self._forget_parent()
            parent, name = self._locate(entry.path)
            if entry.kind == "dir":
                os.rmdir(name, dir_fd=parent)
            else:
                os.unlink(name, dir_fd=parent)
        except OSError as error:
            raise _failure(entry.path, error) from error

    def finish(self, directories: Iterable[Entry]) -> None:
        """Sets the times of directories, after which nothing may be made below them."""
        for entry in directories:
            try:
                parent, name = self._locate(entry.path)
                times = (entry.mtime_ns, entry.mtime_ns)
                os.utime(name, ns=times, dir_fd=parent, follow_symlinks=False)
            except OSError as error:
                raise _failure(entry.path, error) from error

    def _locate(self, path: str) -> tuple[int, str]:
        """The open parent of `path`, and the name in it."""
        parent, _, name = path.rpartition("/")
        if parent != self._parent:
            opened = (
                open_beneath(self._root, parent, _OPEN_PARENT, resolve=_NO_LINKS) if parent else self._root
            )
            self._forget_parent()
            self._parent, self._parent_fd = parent, opened
        return self._parent_fd, name

    def _forget_parent(self) -> None:
        if self._parent_fd != self._root:
            os.close(self._parent_fd)
        self._parent, self._parent_fd = "", self._root

    def _link(self, entry: Entry, parent: int, name: str) -> None:
        folder, _, source = entry.link.rpartition("/")
        fd = (
            open_beneath(self._root, folder, _OPEN_PARENT, resolve=_NO_LINKS)
            if folder
            else os.dup(self._root)
        )
        try:
            os.link(source, name, src_dir_fd=fd, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(fd)

    def _describe_directory(self, entry: Entry) -> None:
        fd = open_beneath(self._root, entry.path, _OPEN_DIRECTORY, resolve=_NO_LINKS)
        try:
            os.fchown(fd, entry.uid, entry.gid)
            _set_xattrs(fd, entry)
            if entry.opaque:
                os.setxattr(fd, OPAQUE_XATTR, b"y")
            os.fchmod(fd, entry.mode)
        finally:
            os.close(fd)

    def _describe(self, entry: Entry, parent: int, name: str) -> None:
        os.chown(name, entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False)
        _set_xattrs(f"/proc/self/fd/{parent}/{name}", entry)
        if entry.kind != "symlink":
            # Nothing but this process writes here, so the name is still the node that was made above.
            os.chmod(name, entry.mode, dir_fd=parent)
        os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=parent, follow_symlinks=False)


def _set_xattrs(target: int | str, entry: Entry) -> None:
    """Sets what may be set: marks of the kernel's own are not a layer's to give."""
    for name, value in entry.xattrs:
        if name.startswith("trusted."):
            continue
        try:
            if isinstance(target, int):
                os.setxattr(target, name, value)
            else:
                os.setxattr(target, name, value, follow_symlinks=False)
        except OSError as error:
            if error.errno != errno.ENOTSUP and not (error.errno == errno.EPERM and name.startswith("user.")):
                raise


def _failure(path: str, error: OSError) -> SnapshotError:
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in _HOSTILE:
        return InvalidLayer(f"the layer holds {path[:200]!r}, which cannot be made: {reason}")
    hint = "free some space, or use another --root" if error.errno in (errno.ENOSPC, errno.EDQUOT) else None
    return SnapshotError(f"cannot make {path[:200]!r} of a layer: {reason}", hint=hint)
