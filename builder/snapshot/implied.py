"""Directories that a layer implies without describing them.

An archive may hold `usr/bin/x` and not say what `usr` is. Then `usr` keeps the attributes that the layers below
give it, so they are copied into the tree and the index of the layer: both stand above the others and would
hide them otherwise. Source: containerd's layer application, which makes missing parents in this way.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from builder.snapshot.entry import Entry, FileView


def inherited(implied: Iterable[str], below: FileView) -> dict[str, Entry]:
    """What `below` says of the `implied` directories, for those that it knows."""
    found = {}
    for path in implied:
        node = below.lstat(path)
        if node is not None and node.entry.kind == "dir":
            found[path] = msgspec.structs.replace(node.entry, opaque=False)
    return found


def describe(entries: Iterable[Entry], known: Mapping[str, Entry]) -> Iterator[Entry]:
    """`entries` with the attributes that are `known` by path."""
    return (known.get(entry.path, entry) for entry in entries)


def apply(known: Mapping[str, Entry], tree: Path) -> None:
    """Gives the directories of a tree the attributes that are `known`.

    The paths were made by the layer as real directories, so no link can stand in them. Raises: OSError.
    """
    for path, entry in known.items():
        directory = os.open(tree / path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchown(directory, entry.uid, entry.gid)
            for name, value in entry.xattrs:
                os.setxattr(directory, name, value)
            os.fchmod(directory, entry.mode)
            os.utime(directory, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(directory)
