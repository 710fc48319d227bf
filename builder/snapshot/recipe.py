"""Recipes: a layer as a list of what it will hold, with the files still where they came from.

A recipe costs no copy of any file. Two recipes with one digest make the same bytes, so ten platforms whose
COPY steps select the same files below the same paths share one layer.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from builder.oci.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from builder.snapshot.entry import Node


class RecipeLayer:
    """What a recipe says of paths: a `LayerView` over nodes in memory."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = {node.entry.path: node for node in nodes}
        self._children: dict[str, list[Node]] = {}
        for node in nodes:
            if node.entry.path:
                self._children.setdefault(node.entry.parent, []).append(node)

    def get(self, path: str) -> Node | None:
        """What this layer says of exactly `path`."""
        return self._nodes.get(path)

    def below(self, path: str) -> Iterable[Node]:
        """What this layer says of names directly below `path`."""
        return self._children.get(path, ())


def recipe_digest(nodes: Iterable[Node]) -> Digest:
    """Names the layer that `nodes` make, by their entries and the identity of their content; reads no file."""
    encode = msgspec.msgpack.Encoder(enc_hook=str).encode
    total = sha256()
    for node in nodes:
        identity = node.content.identity if node.content is not None else ()
        try:
            total.update(encode((node.entry, identity)))
        except UnicodeEncodeError:
            total.update(encode((_printable(node), identity)))
    return Digest("sha256:" + total.hexdigest())


def _printable(node: Node) -> tuple[object, ...]:
    """The entry of `node` when a name is no UTF-8."""
    entry = node.entry
    names = (entry.path.encode("utf-8", "surrogateescape"), entry.link.encode("utf-8", "surrogateescape"))
    attributes = (entry.kind, entry.mode, entry.uid, entry.gid, entry.size, entry.mtime_ns)
    xattrs = tuple((name.encode("utf-8", "surrogateescape"), value) for name, value in entry.xattrs)
    return (*names, *attributes, entry.device, xattrs, entry.opaque)
