"""The layer that a file operation is making, seen together with what lies below it.

Actions of one operation see what earlier ones did, so this is a file system to look paths up in and, in the end, a
sorted list of nodes. The parents of all that changes are listed too, with the attributes that they have below,
because a layer that does not list them would leave their attributes to whoever unpacks it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from builder.snapshot.entry import Node, sort_key
from builder.snapshot.errors import PathConflict, UnsafePath
from builder.snapshot.resolve import parent
from builder.snapshot.tarheader import WHITEOUT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Hashable

    from builder.snapshot.resolve import Lookup


class PendingLayer:
    """Changes on top of `below`; not safe to share between threads.

    A path is put after its parents. Names of one file are put as files of one link group; which of them becomes
    the file of the layer and which the hard links is decided at the end, by their order.
    """

    def __init__(self, below: Lookup) -> None:
        self._below = below
        self._nodes: dict[str, Node] = {}
        self._groups: dict[str, Hashable] = {}
        self._cleared: set[str] = set()

    def lstat(self, path: str) -> Node | None:
        """What stands at `path` by now."""
        node = self._nodes.get(path)
        if node is not None or (self._cleared and self._hides(path)):
            return node
        return self._below.lstat(path)

    def put(self, node: Node, *, group: Hashable = None) -> None:
        """Makes `node`, in place of what stands at its path; `group` is None for a file of one name.

        A directory must be cleared before something else is put in its place.
        Raises: UnsafePath for a name that no layer can hold; PathConflict when the parent is no directory.
        """
        path = node.entry.path
        if WHITEOUT_PREFIX in path and f"/{WHITEOUT_PREFIX}" in f"/{path}":
            raise UnsafePath(f"/{path}: in a layer, names that begin with {WHITEOUT_PREFIX!r} remove files")
        directory = parent(path)
        if directory not in self._nodes:
            self._list_directory(directory)
        self._nodes[path] = node
        if group is not None:
            self._groups[path] = group
        elif self._groups:
            self._groups.pop(path, None)

    def clear(self, path: str) -> None:
        """Removes all that stands at and below `path`; something must be put there next."""
        inside = f"{path}/"
        for each in [each for each in self._nodes if each == path or each.startswith(inside)]:
            del self._nodes[each]
            self._groups.pop(each, None)
        self._cleared.add(path)

    def nodes(self) -> list[Node]:
        """What the layer holds, sorted; empty when nothing was put."""
        ordered = sorted(self._nodes.values(), key=_order)
        first_names: dict[Hashable, str] = {}
        if self._groups:
            ordered = [self._linked(node, first_names) for node in ordered]
        return [self._opaque(node) for node in ordered] if self._cleared else ordered

    def _hides(self, path: str) -> bool:
        while path:
            if path in self._cleared:
                return True
            path = parent(path)
        return False

    def _list_directory(self, path: str) -> None:
        while path not in self._nodes:
            node = self.lstat(path)
            if node is None or node.entry.kind != "dir":
                raise PathConflict(f"mkdir /{path}: not a directory")
            self._nodes[path] = _without_mark(node)
            path = parent(path)

    def _linked(self, node: Node, first_names: dict[Hashable, str]) -> Node:
        group = self._groups.get(node.entry.path)
        if group is None:
            return node
        first = first_names.setdefault(group, node.entry.path)
        if first == node.entry.path:
            return node
        return Node(msgspec.structs.replace(node.entry, kind="hardlink", size=0, link=first, digest=None))

    def _opaque(self, node: Node) -> Node:
        if node.entry.kind != "dir" or node.entry.path not in self._cleared:
            return node
        return Node(msgspec.structs.replace(node.entry, opaque=True))


def _without_mark(node: Node) -> Node:
    """A directory as it is seen from above: whether it hides what is below it is its own layer's affair."""
    if not node.entry.opaque:
        return node
    return Node(msgspec.structs.replace(node.entry, opaque=False))


def _order(node: Node) -> bytes:
    return sort_key(node.entry.path)
