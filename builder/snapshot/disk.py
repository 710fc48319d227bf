"""Files below a directory, opened so that no path leads out of it and nothing special is ever opened.

Everything that reads a context or a tree goes through `Directory`. Links are never followed, not even inside:
who wants that resolves them first, entry by entry. The parent that was used last stays open, so the many files
of one directory cost one openat each.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import threading
from struct import Struct
from typing import TYPE_CHECKING, BinaryIO, Final, Self

from builder.snapshot.entry import NO_DEVICE, Entry, Node
from builder.snapshot.errors import ContentChanged, PathNotFound, UnsafePath
from builder.system.linux import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, open_beneath

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    from builder.snapshot.entry import Kind
    from builder.snapshot.opened import OpenDirectories

LAYER_XATTRS: Final = frozenset({"security.capability"})
"""What the layer of a command keeps of a file's extended attributes, as BuildKit does."""

_OPEN_ROOT: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_OPEN_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_OPEN_PARENT: Final = os.O_PATH | os.O_DIRECTORY
_NO_LINKS: Final = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS
_REFUSED: Final = (errno.ELOOP, errno.ENOTDIR, errno.EXDEV, errno.ENXIO, errno.EISDIR)
"""What the kernel says of links, sockets and directories where a file should be."""
_NO_XATTRS: Final = (errno.ENODATA, errno.ENOTSUP)
_KINDS: Final[dict[int, Kind]] = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
    stat.S_IFIFO: "fifo",
}

STAMP: Final = Struct("=QQqqq")
"""How an identity is packed: there may be hundreds of thousands of files, and each number is an object."""
Identity = tuple[int, int, int, int, int]
"""Device, inode, size, mtime and ctime (both in nanoseconds) of a file."""


class Directory:
    """An open directory, below which paths are looked up; safe to share between threads.

    It closes when it is left, closed, or no longer referred to by any node. Every method raises OSError with
    the path below the directory; ELOOP or ENOTDIR when a parent is not a real directory.
    """

    def __init__(self, path: Path, *, others: OpenDirectories | None = None) -> None:
        """With `others` it may be closed while idle, for them, and is opened again at `path`.

        Raises: OSError when `path` is not a directory that can be read.
        """
        self.path = path
        self._others = others
        self._parent = ""
        self._closed = False
        self._root = self._parent_fd = os.open(path, _OPEN_ROOT)
        self._identity = _place(self._root)
        self._lock = threading.Lock()
        if others is not None:
            others.opened(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # The constructor may have failed before there was anything to close.
        if hasattr(self, "_lock"):
            self.close()

    def close(self) -> None:
        """Closes the directory; content below it can no longer be opened."""
        with self._lock:
            self._closed = True
            self._release()

    def park(self) -> bool:
        """Closes the directory until the next question; says False when one is being answered."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            self._release()
            return True
        finally:
            self._lock.release()

    def _release(self) -> None:
        for fd in {self._root, self._parent_fd} - {-1}:
            os.close(fd)
        self._root = self._parent_fd = -1
        self._parent = ""

    def _open_root(self) -> int:
        """The directory, opened again if it was closed for others; the lock is held.

        Raises: ContentChanged when another one is in its place.
        """
        if self._root < 0 and not self._closed:
            self._root = self._parent_fd = os.open(self.path, _OPEN_ROOT)
            if _place(self._root) != self._identity:
                self._release()
                raise self._changed("")
            if self._others is not None:
                # Making room never waits for the lock of another directory.
                self._others.opened(self)
        return self._root

    def lstat(self, path: str) -> os.stat_result:
        """What stands at `path`, which is not followed."""
        with self._lock:
            parent, name = self._locate(path)
            return os.stat(name, dir_fd=parent, follow_symlinks=False)

    def lstats(self, path: str, names: Iterable[str]) -> list[os.stat_result | None]:
        """What stands at each of `names` in the directory `path`; None where nothing does any more."""
        with self._lock:
            parent, _ = self._locate(f"{path}/-" if path else "-")
            return [_lstat(name, parent) for name in names]

    def readlink(self, path: str) -> str:
        """The target of the link at `path`, as it is stored."""
        with self._lock:
            parent, name = self._locate(path)
            return os.readlink(name, dir_fd=parent)

    def names(self, path: str) -> list[str]:
        """The names in the directory `path`, sorted by their bytes."""
        with self._lock:
            listing = open_beneath(
                self._open_root(), path or ".", os.O_RDONLY | os.O_DIRECTORY, resolve=_NO_LINKS
            )
        try:
            return sorted(os.listdir(listing), key=os.fsencode)
        finally:
            os.close(listing)

    def xattrs(self, path: str) -> list[str]:
        """The names of the extended attributes of what stands at `path`."""
        with self._lock:
            try:
                return os.listxattr(self._proc_path(path), follow_symlinks=False)
            except OSError as error:
                if error.errno in _NO_XATTRS:
                    return []
                raise

    def xattr(self, path: str, name: str) -> bytes:
        """One extended attribute of what stands at `path`."""
        with self._lock:
            return os.getxattr(self._proc_path(path), name, follow_symlinks=False)

    def open_file(self, path: str) -> BinaryIO:
        """The regular file at `path`, unbuffered; the caller closes.

        Raises: PathNotFound; UnsafePath for links, also among the parents, and for what is not a regular
        file: such a thing is not even opened.
        """
        try:
            status = self.lstat(path)
            if not stat.S_ISREG(status.st_mode):
                raise self._unsafe(path)
            opened = self._open(path)
        except FileNotFoundError:
            raise PathNotFound(f"there is no {path!r} in {self.path}") from None
        except OSError as error:
            if error.errno in _REFUSED:
                raise self._unsafe(path) from error
            raise
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            opened.close()
            raise self._unsafe(path)
        return opened

    def open_same(self, path: str, identity: Identity) -> BinaryIO:
        """The file at `path` if it is still the one of `identity`, unbuffered; the caller closes.

        Raises: ContentChanged.
        """
        try:
            opened = self._open(path)
        except OSError as error:
            if error.errno in (errno.ENOENT, *_REFUSED):
                raise self._changed(path) from error
            raise
        if identity_of(os.fstat(opened.fileno())) != identity:
            opened.close()
            raise self._changed(path)
        return opened

    def read_same(self, path: str, stamp: bytes, limit: int) -> bytes:
        """The first `limit` bytes of the file at `path` if it is still the one of `stamp`.

        Raises: ContentChanged.
        """
        try:
            with self._lock:
                parent, name = self._locate(path)
                fd = os.open(name, _OPEN_FILE, dir_fd=parent)
        except OSError as error:
            if error.errno in (errno.ENOENT, *_REFUSED):
                raise self._changed(path) from error
            raise
        try:
            if stamp_of(os.fstat(fd)) != stamp:
                raise self._changed(path)
            return os.read(fd, limit)
        finally:
            os.close(fd)

    def _open(self, path: str) -> io.FileIO:
        with self._lock:
            parent, name = self._locate(path)
            fd = os.open(name, _OPEN_FILE, dir_fd=parent)
        try:
            return io.FileIO(fd, "rb")
        except OSError:
            # A directory: FileIO refuses it and leaves the descriptor to its maker.
            os.close(fd)
            raise

    def _locate(self, path: str) -> tuple[int, str]:
        """The open parent of `path` and the name in it; the lock is held."""
        root = self._open_root()
        parent, _, name = path.rpartition("/")
        if name in ("", ".", ".."):
            if path:
                raise self._unsafe(path)
            return root, "."
        if parent != self._parent:
            opened = open_beneath(root, parent, _OPEN_PARENT, resolve=_NO_LINKS) if parent else root
            if self._parent_fd != root:
                os.close(self._parent_fd)
            self._parent, self._parent_fd = parent, opened
        return self._parent_fd, name

    def _proc_path(self, path: str) -> str:
        """A path of the kernel's own for calls that take no directory descriptor."""
        parent, name = self._locate(path)
        return f"/proc/self/fd/{parent}/{name}"

    def _unsafe(self, path: str) -> UnsafePath:
        return UnsafePath(f"{path!r} in {self.path} is not a regular file, or is reached through a link")

    def _changed(self, path: str) -> ContentChanged:
        return ContentChanged(
            f"{path!r} in {self.path} is not the file that was listed",
            hint="something changed it while the build was running; build again",
        )


class DiskContent:
    """The content of a file on disk, as it was when it was listed."""

    __slots__ = ("_directory", "_path", "stamp")

    def __init__(self, directory: Directory, path: str, stamp: bytes) -> None:
        """`stamp` is what `stamp_of` made of the file."""
        self._directory = directory
        self._path = path
        self.stamp = stamp

    @property
    def identity(self) -> Identity:
        """The same numbers as long as the bytes are the same."""
        return identity_in(self.stamp)

    def open(self) -> BinaryIO:
        """The bytes, unbuffered; the caller closes. Raises: ContentChanged, OSError."""
        return self._directory.open_same(self._path, self.identity)

    def read(self, limit: int) -> bytes:
        """The first `limit` bytes. Raises: ContentChanged, OSError."""
        return self._directory.read_same(self._path, self.stamp, limit)


class InlineContent:
    """Content that is in memory: of files that a step makes itself."""

    __slots__ = ("_content",)

    def __init__(self, content: bytes) -> None:
        self._content = content

    @property
    def identity(self) -> tuple[bytes]:
        """The bytes themselves."""
        return (self._content,)

    def open(self) -> BinaryIO:
        """The bytes; the caller closes."""
        return io.BytesIO(self._content)

    def read(self, limit: int) -> bytes:
        """The first `limit` bytes."""
        return self._content[:limit]


def _lstat(name: str, parent: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _place(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def identity_of(status: os.stat_result) -> Identity:
    """What tells this file from every other, and from itself after a change."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def stamp_of(status: os.stat_result) -> bytes:
    """The identity, packed."""
    return STAMP.pack(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def identity_in(stamp: bytes) -> Identity:
    """The identity that `stamp_of` packed."""
    return STAMP.unpack(stamp)


def kind_of(status: os.stat_result) -> Kind | None:
    """What a thing is by its lstat; None for sockets, which no layer holds."""
    return _KINDS.get(stat.S_IFMT(status.st_mode))


def node_of(directory: Directory, path: str, status: os.stat_result) -> Node | None:
    """The node of what stands at `path`, of which `status` is the lstat, without extended attributes.

    None for sockets. Raises: OSError, also when the thing is gone meanwhile.
    """
    kind = kind_of(status)
    return None if kind is None else stat_node(directory, path, status, kind=kind)


def stat_node(
    directory: Directory,
    path: str,
    status: os.stat_result,
    *,
    kind: Kind,
    xattrs: tuple[tuple[str, bytes], ...] = (),
) -> Node:
    """The node of a thing whose kind and extended attributes are known."""
    device = NO_DEVICE
    if kind in ("char", "block"):
        device = (os.major(status.st_rdev), os.minor(status.st_rdev))
    entry = Entry(
        path,
        kind,
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        size=status.st_size if kind == "file" else 0,
        mtime_ns=status.st_mtime_ns,
        link=directory.readlink(path) if kind == "symlink" else "",
        device=device,
        xattrs=xattrs,
    )
    if kind != "file":
        return Node(entry)
    return Node(entry, DiskContent(directory, path, stamp_of(status)))
