"""Trees: layers as overlayfs leaves and takes them, read back as entries.

A device 0:0 is a whiteout and the kernel's mark makes a directory opaque; no other mark of overlayfs is a
layer's business. Nothing is opened here but directories: files only when somebody reads their content.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, Self

import msgspec

from builder.snapshot.disk import LAYER_XATTRS, Directory, kind_of, stat_node
from builder.snapshot.entry import Entry, Node
from builder.snapshot.errors import SnapshotError
from builder.snapshot.links import LinkedContent
from builder.snapshot.marks import OPAQUE_XATTR, UNCHANGED_XATTR

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from builder.snapshot.opened import OpenDirectories

_ABSENT: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
# With these marks a tree does not hold what it shows: mounts must switch both features off.
_INCOMPLETE: Final = frozenset({"trusted.overlay.redirect", "trusted.overlay.metacopy"})


class TreeLayer:
    """A `LayerView` over a tree that nothing writes to. Hard links are regular files here.

    Methods raise OSError, and SnapshotError for a tree that does not hold what it shows.
    """

    def __init__(self, path: Path, *, others: OpenDirectories | None = None) -> None:
        """`others` are open at the same time. Raises: OSError when `path` is not a directory."""
        self._directory = Directory(path, others=others)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the tree, and with it the content of its nodes."""
        self._directory.close()

    def get(self, path: str) -> Node | None:
        """What the tree says of exactly `path`; None also where a parent is a link or a file."""
        try:
            return _node(self._directory, path, self._directory.lstat(path))
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            raise

    def below(self, path: str) -> Iterator[Node]:
        """What the tree says of names directly below `path`, sorted by the bytes of the names."""
        try:
            names = self._directory.names(path)
        except OSError as error:
            if error.errno in _ABSENT:
                return
            raise
        for name in names:
            node = self.get(f"{path}/{name}" if path else name)
            if node is not None:
                yield node


def tree_nodes(path: Path) -> Iterator[Node]:
    """All of the tree at `path` that its layer holds, sorted for a tar; sockets are left out.

    The first name of a file with several is the file, later ones are hard links to it.
    Raises: OSError; SnapshotError for a tree that does not hold what it shows.
    """
    directory = Directory(path)
    first_names: dict[tuple[int, int], str] = {}
    pending = [iter(directory.names(""))]
    parents = [""]
    while pending:
        name = next(pending[-1], None)
        if name is None:
            pending.pop()
            parents.pop()
            continue
        here = f"{parents[-1]}/{name}" if parents[-1] else name
        status = directory.lstat(here)
        node = _node(directory, here, status)
        if node is None or (node.entry.kind == "dir" and UNCHANGED_XATTR in directory.xattrs(here)):
            continue
        yield _named(node, status, first_names)
        if node.entry.kind == "dir":
            pending.append(iter(directory.names(here)))
            parents.append(here)


def _named(node: Node, status: os.stat_result, first_names: dict[tuple[int, int], str]) -> Node:
    """`node`, or a hard link to the name that the same thing had before."""
    entry = node.entry
    # The kernel makes all whiteouts names of one device.
    if status.st_nlink < 2 or entry.kind in ("dir", "whiteout"):
        return node
    first = first_names.setdefault((status.st_dev, status.st_ino), entry.path)
    if first == entry.path:
        return node
    return Node(
        Entry(
            entry.path,
            "hardlink",
            mode=entry.mode,
            uid=entry.uid,
            gid=entry.gid,
            mtime_ns=entry.mtime_ns,
            link=first,
        )
    )


def _node(directory: Directory, path: str, status: os.stat_result) -> Node | None:
    kind = kind_of(status)
    if kind is None:
        return None
    if kind == "char" and status.st_rdev == 0:
        return Node(Entry(path, "whiteout"))
    names = directory.xattrs(path) if kind in ("file", "dir") else []
    if not _INCOMPLETE.isdisjoint(names):
        raise SnapshotError(
            f"{path!r} is only a reference to a lower layer",
            hint="overlayfs must be mounted with redirect_dir=off and metacopy=off",
        )
    xattrs = tuple((name, directory.xattr(path, name)) for name in sorted(LAYER_XATTRS.intersection(names)))
    node = stat_node(directory, path, status, kind=kind, xattrs=xattrs)
    if node.content is not None and status.st_nlink > 1:
        return Node(node.entry, LinkedContent(node.content))
    if OPAQUE_XATTR in names and directory.xattr(path, OPAQUE_XATTR) == b"y":
        return Node(msgspec.structs.replace(node.entry, opaque=True))
    return node
