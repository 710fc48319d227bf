"""Layers onto a disk: a blob or a recipe becomes a tree that overlayfs can mount as a lower directory.

Both write into a directory that the caller made and renames when all is well; what is left after an error is for
the caller to remove. Which path an entry stands at is decided by the listing, not by the disk, and no link on
the disk is ever followed: an archive cannot write through what it made.
"""

from __future__ import annotations

import errno
import os
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO, Final

from builder.oci.digest import CHUNK
from builder.snapshot.errors import ContentChanged
from builder.snapshot.index import finish_scan
from builder.snapshot.listing import Listing
from builder.snapshot.tarreader import read_layer
from builder.snapshot.treewriter import TreeWriter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from builder.oci.digest import DiffID
    from builder.snapshot.entry import Entry, Node
    from builder.snapshot.index import LayerScan
    from builder.snapshot.listing import Change
    from builder.snapshot.streams import LayerReader
    from builder.snapshot.tarreader import Payload

# Below this, reading and writing costs less than asking the kernel to copy.
_SMALL: Final = 64 << 10
_CANNOT_COPY: Final = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)


def unpack_layer(layer: LayerReader, directory: Path, *, expected: DiffID | None = None) -> LayerScan:
    """Makes the tree of a layer in `directory`, which is empty, and lists it in the same pass.

    Raises: InvalidLayer for a layer that is damaged, leaves its root, or whose diff ID is not `expected`;
    SnapshotError when the disk fails.
    """
    return finish_scan(layer, unpack_members(read_layer(layer), directory), expected=expected)


def unpack_members(members: Iterable[tuple[Entry, Payload]], directory: Path) -> Listing:
    """Makes the tree of the members of an archive, but not its root, in `directory`, which is empty.

    Raises: InvalidLayer for members that contradict each other; SnapshotError when the disk fails.
    """
    listing = Listing()
    with TreeWriter(directory) as tree:
        for entry, payload in members:
            change = listing.add(entry)
            if change is not None:
                _apply(change, payload, listing=listing, tree=tree)
        tree.finish(listing.directories())
    return listing


def materialize(nodes: Iterable[Node], directory: Path) -> tuple[str, ...]:
    """Makes the tree of `nodes`, which come sorted, in `directory`, which is empty.

    Returns the directories that the nodes need but do not list, as `LayerScan.implied`.
    Raises: InvalidLayer when the nodes contradict each other, ContentChanged, SnapshotError, OSError.
    """
    listing = Listing()
    with TreeWriter(directory) as tree:
        for node in nodes:
            change = listing.add(node.entry) if node.entry.path else None
            if change is None:
                continue
            _prepare(change, tree)
            if change.entry.kind == "file":
                tree.file(change.entry, partial(_copy, node))
            elif change.exists:
                tree.describe(change.entry)
            else:
                tree.make(change.entry)
        tree.finish(listing.directories())
    return listing.implied()


def _prepare(change: Change, tree: TreeWriter) -> None:
    """Makes room, and the parents."""
    for gone in change.removed:
        tree.remove(gone)
    for parent in change.made:
        tree.make(parent)


def _apply(change: Change, payload: Payload, *, listing: Listing, tree: TreeWriter) -> None:
    _prepare(change, tree)
    entry = change.entry
    if change.exists:
        tree.describe(entry)
    elif entry.kind == "file":
        total = sha256()

        def fill(fd: int) -> None:
            while chunk := payload.read(CHUNK):
                total.update(chunk)
                _write(fd, chunk)

        tree.file(entry, fill)
        listing.describe(entry.path, total.digest())
    else:
        tree.make(entry)


def _copy(node: Node, fd: int) -> None:
    """Copies the content of `node` to `fd`, by the kernel where it can. Raises: ContentChanged."""
    if node.content is None:
        raise ValueError(f"the file {node.entry.path!r} has no content to copy")
    with node.content.open() as stream:
        copied = _copy_in_kernel(stream, fd, node.entry.size) if node.entry.size >= _SMALL else 0
        while chunk := stream.read(CHUNK):
            _write(fd, chunk)
            copied += len(chunk)
    if copied != node.entry.size:
        raise ContentChanged(
            f"{node.entry.path!r} does not have the {node.entry.size} bytes that were listed",
            hint="something wrote to it while the build was reading; build again",
        )


def _copy_in_kernel(stream: BinaryIO, fd: int, size: int) -> int:
    """Copies up to `size` bytes without bringing them here; how many there were, 0 where it cannot."""
    copied = 0
    try:
        source = stream.fileno()
        while copied < size and (count := os.copy_file_range(source, fd, size - copied)):
            copied += count
    except OSError as error:
        # Content in memory has no descriptor; its error has no number.
        if error.errno is not None and error.errno not in _CANNOT_COPY:
            raise
    return copied


def _write(fd: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(fd, rest) :]
