"""Hard links in a source: which names that are copied together are one file.

Layers in memory say so by their entries; files on disk by their inode, but a file has that whoever asks, so a view
of a disk marks the files that have several names. Links are kept within one copied tree, as `cp -a` does;
across trees each copy is a file of its own, and the mark comes off with the copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from builder.snapshot.entry import Content, Node


class LinkedContent:
    """Content of a file on disk that has more names than the one it was found under."""

    __slots__ = ("file",)

    def __init__(self, file: Content) -> None:
        self.file = file

    @property
    def identity(self) -> tuple[object, ...]:
        """That of the file: the same for all its names."""
        return self.file.identity

    def open(self) -> BinaryIO:
        """The bytes, unbuffered; the caller closes. Raises: ContentChanged, OSError."""
        return self.file.open()

    def read(self, limit: int) -> bytes:
        """The first `limit` bytes. Raises: ContentChanged, OSError."""
        return self.file.read(limit)


def unmarked(content: Content | None) -> Content | None:
    """`content` without the mark that its file has other names."""
    return content.file if isinstance(content, LinkedContent) else content


def linked_names(nodes: Sequence[Node]) -> dict[str, Hashable]:
    """For each path of a file that has other names: a value that the names of this file share, and no others.

    The values of one call are never equal to those of another.
    """
    names: dict[str, Hashable] = {}
    files: dict[Hashable, object] = {}
    for node in nodes:
        if node.entry.kind == "hardlink":
            names[node.entry.path] = files.setdefault(_key(node.entry.link, node), object())
        elif isinstance(node.content, LinkedContent):
            names[node.entry.path] = files.setdefault(node.content.identity, object())
    if not names:
        return names
    for node in nodes:
        group = files.get(_key(node.entry.path, node)) if node.entry.kind == "file" else None
        if group is not None:
            names[node.entry.path] = group
    return names


def _key(first_name: str, node: Node) -> Hashable:
    # In a stack of layers, a file that replaced the first name is another file; its content tells.
    return first_name, None if node.content is None else node.content.identity
