"""The files of a result in a directory of the caller.

What stands in that directory is the caller's, links to anywhere included: nothing is ever written through one,
and what is in the way of a file is replaced by renaming, so a reader sees the old file or the new one. Modes and
times come along; owners do not, because the files are the caller's now.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from builder.store.layout.output import copy_all
from builder.system.linux import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, open_beneath
from exporter.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    from builder.snapshot.entry import Entry, Node
    from exporter.outputs import LocalMode

_NO_LINKS: Final = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SPECIAL: Final = {"char": stat.S_IFCHR, "block": stat.S_IFBLK, "fifo": stat.S_IFIFO}
_CANNOT_LINK: Final = (errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.EXDEV)


def write_files(nodes: Iterable[Node], dest: Path, *, mode: LocalMode) -> None:
    """Writes `nodes`, parents first, below `dest`, which is made if missing; what else is there stays.

    With mode `delete` what is not among `nodes` is removed in the end. Raises: ExportError, ContentChanged.
    """
    try:
        dest.mkdir(parents=True, exist_ok=True)
        with _Directory(dest, remove=mode == "delete") as directory:
            for node in nodes:
                directory.put(node)
            directory.finish()
    except OSError as error:
        where = f"{dest}/{error.filename}" if error.filename else str(dest)
        raise ExportError(f"cannot write {where}: {error.strerror or error}") from error


class _Directory:
    """The directory that is written to, and with `remove` emptied of all else; OSErrors name paths below it."""

    def __init__(self, path: Path, *, remove: bool) -> None:
        self._path = path
        self._remove = remove
        self._root = os.open(path, _DIRECTORY)
        self._parent, self._parent_fd = "", self._root
        self._names: dict[str, set[str]] = {"": set()}
        self._directories: list[Entry] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for fd in {self._root, self._parent_fd}:
            os.close(fd)

    def put(self, node: Node) -> None:
        """Makes what `node` says, in place of what stands there."""
        entry = node.entry
        parent = self._open_parent(entry.parent)
        self._names[entry.parent].add(entry.name)
        try:
            if entry.kind == "dir":
                _make_directory(parent, entry.name)
                self._directories.append(entry)
                self._names[entry.path] = set()
                return
            temporary = f".dockyard-{os.urandom(6).hex()}"
            try:
                self._make(node, parent, temporary)
                self._replace(parent, temporary, entry)
            except BaseException:
                _unlink_if_there(temporary, parent)
                raise
        except OSError as error:
            raise OSError(error.errno, error.strerror, entry.path) from error

    def finish(self) -> None:
        """Gives directories their modes and times, which writing below them would change or not allow."""
        if self._remove:
            self._remove_others()
        for entry in reversed(self._directories):
            parent = self._open_parent(entry.parent)
            fd = os.open(entry.name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
            try:
                os.fchmod(fd, entry.mode)
                os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
            finally:
                os.close(fd)

    def _remove_others(self) -> None:
        """Removes all that was not put here, without following links."""
        for path, names in self._names.items():
            fd = open_beneath(self._root, path or ".", _DIRECTORY, resolve=_NO_LINKS)
            try:
                for name in set(os.listdir(fd)) - names:
                    _remove(name, fd)
            finally:
                os.close(fd)

    def _open_parent(self, path: str) -> int:
        if path != self._parent:
            opened = open_beneath(self._root, path, _DIRECTORY, resolve=_NO_LINKS) if path else self._root
            if self._parent_fd != self._root:
                os.close(self._parent_fd)
            self._parent, self._parent_fd = path, opened
        return self._parent_fd

    def _make(self, node: Node, parent: int, name: str) -> None:
        entry = node.entry
        times = (entry.mtime_ns, entry.mtime_ns)
        match entry.kind:
            case "symlink":
                os.symlink(entry.link, name, dir_fd=parent)
                os.utime(name, ns=times, dir_fd=parent, follow_symlinks=False)
            case "char" | "block" | "fifo":
                os.mknod(name, _SPECIAL[entry.kind] | 0o600, os.makedev(*entry.device), dir_fd=parent)
                os.chmod(name, entry.mode, dir_fd=parent)
                os.utime(name, ns=times, dir_fd=parent, follow_symlinks=False)
            case "hardlink":
                if not self._link(entry, parent, name):
                    _copy(node, parent, name)
            case _:
                _copy(node, parent, name)

    def _link(self, entry: Entry, parent: int, name: str) -> bool:
        """Gives the file that was put at the link's target another name; False where that cannot be."""
        folder, _, first = entry.link.rpartition("/")
        source = open_beneath(self._root, folder or ".", _DIRECTORY, resolve=_NO_LINKS)
        try:
            os.link(first, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _CANNOT_LINK:
                raise
            return False
        finally:
            os.close(source)
        return True

    def _replace(self, parent: int, temporary: str, entry: Entry) -> None:
        try:
            os.rename(temporary, entry.name, src_dir_fd=parent, dst_dir_fd=parent)
        except IsADirectoryError as error:
            if not self._remove:
                raise ExportError(
                    f"cannot write {self._path}/{entry.path}: a directory is in the way",
                    hint="remove it, or write to an empty directory",
                ) from error
            shutil.rmtree(entry.name, dir_fd=parent)
            os.rename(temporary, entry.name, src_dir_fd=parent, dst_dir_fd=parent)
        # Renaming one name of a file to another name of the same file does nothing.
        _unlink_if_there(temporary, parent)


def _make_directory(parent: int, name: str) -> None:
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            return
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        pass
    os.mkdir(name, 0o700, dir_fd=parent)


def _copy(node: Node, parent: int, name: str) -> None:
    entry = node.entry
    if node.content is None:
        raise ValueError(f"the file {entry.path!r} has no content to export")
    fd = os.open(name, _CREATE, 0o600, dir_fd=parent)
    try:
        with node.content.open() as stream:
            copy_all(
                stream, fd, os.fstat(stream.fileno()).st_size if entry.kind == "hardlink" else entry.size
            )
        os.fchmod(fd, entry.mode)
        os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
    finally:
        os.close(fd)


def _remove(name: str, parent: int) -> None:
    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode):
        shutil.rmtree(name, dir_fd=parent)
    else:
        os.unlink(name, dir_fd=parent)


def _unlink_if_there(name: str, parent: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=parent)
