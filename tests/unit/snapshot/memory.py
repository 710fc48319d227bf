"""File systems in memory for tests, written as one line a path."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from builder.graph.operations import Copy, File, MakeDirectory
from builder.oci.digest import Digest
from builder.snapshot.copy import FilePlan
from builder.snapshot.entry import Entry, Node, sort_key
from builder.snapshot.recipe import RecipeLayer
from builder.snapshot.stack import StackView

if TYPE_CHECKING:
    from pathlib import Path

    from builder.snapshot.entry import FileView

NOW_NS = 1_700_000_000_000_000_000
"""The time of the step."""
OLD_NS = 1_500_000_000_123_456_789
"""When the files of the tests were last changed."""


class Text(NamedTuple):
    """Content that is known at once."""

    data: bytes

    @property
    def identity(self) -> tuple[object, ...]:
        return (self.data,)

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)

    def read(self, limit: int) -> bytes:
        return self.data[:limit]


def file(
    path: str, data: bytes = b"", *, mode: int = 0o644, uid: int = 0, gid: int = 0, **others: object
) -> Node:
    entry = Entry(path, "file", mode, uid, gid, size=len(data), mtime_ns=OLD_NS, **others)  # type: ignore[arg-type]
    return Node(entry, Text(data))


def directory(path: str, *, mode: int = 0o755, uid: int = 0, gid: int = 0, **others: object) -> Node:
    return Node(Entry(path, "dir", mode, uid, gid, mtime_ns=OLD_NS, **others))  # type: ignore[arg-type]


def symlink(path: str, target: str) -> Node:
    return Node(Entry(path, "symlink", 0o777, link=target, mtime_ns=OLD_NS))


def hardlink(path: str, first: str) -> Node:
    return Node(Entry(path, "hardlink", link=first))


def whiteout(path: str) -> Node:
    return Node(Entry(path, "whiteout"))


def layer(*nodes: Node | str) -> RecipeLayer:
    """A layer of `nodes`; text is a file that holds its own path, or a directory if it ends in a slash."""
    made = {node.entry.path: node for node in map(_node, nodes)}
    for path in list(made):
        while path := path.rpartition("/")[0]:
            made.setdefault(path, directory(path))
    return RecipeLayer([made[path] for path in sorted(made, key=sort_key)])


def view(*nodes: Node | str) -> StackView:
    """A file system of one layer."""
    return StackView([layer(*nodes)])


def _node(node: Node | str) -> Node:
    if isinstance(node, Node):
        return node
    return directory(node[:-1]) if node.endswith("/") else file(node, os.fsencode(node))


def content_of(node: Node) -> bytes:
    """The bytes of a file."""
    assert node.content is not None
    with node.content.open() as stream:
        return stream.read()


class Result(NamedTuple):
    """A layer that a plan made."""

    nodes: list[Node]

    def __getitem__(self, path: str) -> Entry:  # type: ignore[override]
        return self.node(path).entry

    def node(self, path: str) -> Node:
        return next(node for node in self.nodes if node.entry.path == path)

    @property
    def paths(self) -> str:
        """All paths but the root, in order."""
        return " ".join(node.entry.path for node in self.nodes if node.entry.path)

    def read(self) -> Result:
        """The same, with all content in memory, so that where it came from may be closed."""
        return Result(
            [
                Node(node.entry, None if node.content is None else Text(content_of(node)))
                for node in self.nodes
            ]
        )

    @property
    def files(self) -> dict[str, bytes]:
        """Content of the regular files."""
        return {node.entry.path: content_of(node) for node in self.nodes if node.entry.kind == "file"}


def run(
    *actions: Copy | MakeDirectory,
    source: FileView | None = None,
    below: FileView | None = None,
    scratch: Path | None = None,
) -> Result:
    """What the actions make on `below`, which is an empty base if it is None; copies come from `source`."""
    operation = File(base=None if below is None else 0, actions=actions)
    plan = FilePlan(operation, [None, source])
    return Result(plan.nodes(view() if below is None else below, now_ns=NOW_NS, scratch=scratch))  # type: ignore[arg-type]


def copy(*words: str, **others: object) -> Copy:
    """`COPY words...`: sources, then the destination."""
    *sources, destination = words
    absolute = tuple(f"/{source.strip('/')}" for source in sources)
    return Copy(input=1, sources=absolute, destination=destination, **others)  # type: ignore[arg-type]


def digest_of(node: Node) -> Digest:
    """Digest of what a node in memory holds."""
    return Digest.of(content_of(node))
