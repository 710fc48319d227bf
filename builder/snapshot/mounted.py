"""Files that a command sees through a mount: what they are, for the cache key, and laid out, for the container.

A mount shows attributes that a copy would replace, so nothing is left out of the digest but times, and the name
of what is mounted, which has a name of its own in the container.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from builder.graph.operations import Copy
from builder.snapshot.pending import PendingLayer
from builder.snapshot.placement import Placement
from builder.snapshot.selection import selection_headers
from builder.snapshot.stack import EMPTY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from builder.oci.digest import Digest
    from builder.snapshot.entry import Node
    from builder.snapshot.selection import SelectedTree

FILE_NAME: Final = "file"
"""What a single file is called where it was laid out."""


def mounted_files(tree: SelectedTree) -> Iterator[Node]:
    """The regular files of `tree`, whose digests `mount_headers` will ask for."""
    return (node for node in (tree.root, *tree.members) if node.entry.kind in ("file", "hardlink"))


def mount_headers(tree: SelectedTree, digest_of: Callable[[Node], Digest]) -> Iterator[bytes]:
    """All that a mount of `tree` shows, as `selection_headers` lists it. Raises: what `digest_of` raises."""
    return selection_headers(_copy("/"), (tree,), digest_of)


def lay_out(tree: SelectedTree, directory: Path) -> str:
    """Copies `tree` into the empty `directory`; returns where it is there, empty for all of it.

    Raises: SnapshotError and its kinds, OSError.
    """
    from builder.snapshot.unpack import materialize

    root = tree.root.entry
    name = "" if root.kind == "dir" else FILE_NAME
    pending = PendingLayer(EMPTY)
    Placement(_copy(f"/{name}"), pending, ids=None, now_ns=root.mtime_ns).place(tree)
    materialize(pending.nodes(), directory)
    if not name:
        os.chown(directory, root.uid, root.gid)
        directory.chmod(root.mode)
    return name


def _copy(destination: str) -> Copy:
    return Copy(input=None, sources=(), destination=destination)
