"""The file system that a stack of layers makes, read without mounting it.

The rules are those of overlay mounts and of layer archives: whiteouts remove, opaque directories hide what is
below them, a file hides a directory, and directories merge with the attributes of the uppermost. Layers are
asked only for the paths that are looked at, and each directory remembers which layers have a part in it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import msgspec

from builder.snapshot.entry import Entry, Node
from builder.snapshot.resolve import parent
from builder.system.values import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.snapshot.entry import LayerView

_DEFAULT_MODE: Final = 0o755


class _Place(Value, frozen=True):
    """What stands at a path and, if that is a directory, the layers with a part in it, uppermost first."""

    node: Node | None
    layers: tuple[LayerView, ...] = ()


_NOWHERE: Final = _Place(None)


class StackView:
    """A `FileView` of `layers`, lowest first. The root is always a directory.

    Each layer must list the parents of all that it lists, and must not change while the view is in use. Safe to
    share between threads if the layers are.
    """

    def __init__(self, layers: Sequence[LayerView]) -> None:
        self._layers = tuple(reversed(layers))
        self._directories = {"": self._root()}

    def lstat(self, path: str) -> Node | None:
        """What stands at `path`; a hard link has the attributes and the content of the file it is."""
        return self._place(path).node

    def children(self, path: str) -> list[Node]:
        """What stands directly below the directory `path`, sorted by the bytes of the names."""
        found: dict[str, Node | None] = {}
        for layer in self._place(path).layers:
            for node in layer.below(path):
                hides = node.entry.kind == "whiteout"
                if node.entry.path not in found:
                    found[node.entry.path] = None if hides else self._complete(node, layer)
        present = [node for node in found.values() if node is not None]
        present.sort(key=_path_bytes)
        return present

    def _place(self, path: str) -> _Place:
        missing: list[str] = []
        while (place := self._directories.get(path)) is None:
            missing.append(path)
            path = parent(path)
        for each in reversed(missing):
            place = self._look(each, place.layers)
            if place.layers:
                self._directories[each] = place
        return place

    def _look(self, path: str, layers: Sequence[LayerView]) -> _Place:
        node: Node | None = None
        parts: list[LayerView] = []
        for layer in layers:
            found = layer.get(path)
            if found is None:
                continue
            if found.entry.kind != "dir":
                hidden = node is not None or found.entry.kind == "whiteout"
                if not hidden:
                    return _Place(self._complete(found, layer))
                break
            node = node or found
            parts.append(layer)
            if found.entry.opaque:
                break
        return _Place(node, tuple(parts)) if node is not None else _NOWHERE

    def _root(self) -> _Place:
        """Layer archives seldom list the root, so every layer has a part in it."""
        listed = self._look("", self._layers).node
        return _Place(listed or Node(Entry("", "dir", _DEFAULT_MODE)), self._layers)

    def _complete(self, node: Node, layer: LayerView) -> Node:
        """A link says nothing of the file but where its first name is, in its own layer or below."""
        if node.entry.kind != "hardlink":
            return node
        for lower in self._layers[self._layers.index(layer) :]:
            first = lower.get(node.entry.link)
            if first is not None and first.entry.kind not in ("hardlink", "whiteout"):
                return _named(first, node.entry)
        return node


EMPTY: Final = StackView(())
"""The file system of `FROM scratch`."""


def _named(first: Node, link: Entry) -> Node:
    """The file `first` under the name of `link`; other kinds of things just look the same."""
    entry = msgspec.structs.replace(first.entry, path=link.path)
    if first.entry.kind == "file":
        entry = msgspec.structs.replace(entry, kind="hardlink", link=link.link)
    return Node(entry, first.content)


def _path_bytes(node: Node) -> bytes:
    return os.fsencode(node.entry.path)
