"""Directories for tests of outputs: written as mappings, seen as results, read back as mappings."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from made import AMD64

from builder.snapshot.disk import InlineContent
from builder.snapshot.entry import Entry, Node, sort_key
from builder.snapshot.recipe import RecipeLayer
from builder.snapshot.stack import StackView
from builder.snapshot.tree import TreeLayer
from exporter.rootfs import RootFiles

if TYPE_CHECKING:
    from pathlib import Path

    from builder.platforms import Platform

SECOND = 1_000_000_000


def entry(path: str, kind: str = "file", **attributes: object) -> Entry:
    mode = 0o755 if kind == "dir" else 0o644
    return Entry(path, kind, **{"mode": mode, "mtime_ns": 7 * SECOND, **attributes})  # type: ignore[arg-type]


def file(path: str, content: bytes = b"", **attributes: object) -> Node:
    return Node(entry(path, size=len(content), **attributes), InlineContent(content))


def node(path: str, kind: str, **attributes: object) -> Node:
    return Node(entry(path, kind, **attributes))


def result(*nodes: Node, platform: Platform = AMD64) -> RootFiles:
    """A file system of one layer that lists all of `nodes`."""
    ordered = sorted(nodes, key=lambda each: sort_key(each.entry.path))
    return RootFiles(platform, StackView([RecipeLayer(ordered)]))


def unpacked(directory: Path, *, platform: Platform = AMD64) -> RootFiles:
    """A file system that lies unpacked in `directory`."""
    return RootFiles(platform, StackView([TreeLayer(directory)]))


def found(directory: Path) -> dict[str, str]:
    """Every path below `directory`, with what stands there: content, target, or `dir`."""
    things = {}
    for path in sorted(directory.rglob("*")):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            said = f"-> {os.readlink(path)}"
        elif stat.S_ISREG(status.st_mode):
            said = path.read_text()
        else:
            said = "dir" if stat.S_ISDIR(status.st_mode) else "special"
        things[str(path.relative_to(directory))] = said
    return things
