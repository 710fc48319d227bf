"""A directory of the caller as the build sees it: the context.

Owners count as 0:0 and extended attributes do not count, so that the same files give the same image whoever
checked them out; sockets and what the ignore patterns exclude do not exist; special files are listed but never
opened. An excluded directory exists only as far as a `!` pattern brings back something below it.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

import msgspec

from builder.graph.patterns import UNTOUCHED, IgnorePatterns
from builder.snapshot.disk import kind_of, node_of
from builder.snapshot.entry import Node
from builder.snapshot.links import LinkedContent
from builder.snapshot.resolve import join, parent

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from builder.snapshot.disk import Directory

_ABSENT: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV, errno.ENAMETOOLONG)


class ContextView:
    """A `FileView` of `directory` without what the ignore patterns `exclude`, which are in file order.

    Whoever opened the directory closes it, once the nodes are no longer used. Every method raises OSError for
    what may not be read. Safe to share between threads.
    """

    def __init__(self, directory: Directory, exclude: Iterable[str] = ()) -> None:
        """Raises: PatternError."""
        self._directory = directory
        self._patterns = IgnorePatterns(exclude)
        self._levels = {"": UNTOUCHED}
        self._shown: dict[str, bool] = {}

    def lstat(self, path: str) -> Node | None:
        """What stands at `path`; None also behind a link, and for what is excluded."""
        level = self._patterns.level(path, self._directory_level(parent(path))) if path else UNTOUCHED
        node = self._node(path) if self._may_exist(path, level) else None
        return node if node is not None and self._is_visible(node, level) else None

    def children(self, path: str) -> Iterator[Node]:
        """What stands directly below the directory `path`, sorted by the bytes of the names."""
        for node, level in self._listed(path):
            if self._is_visible(node, level):
                yield node

    def directory_as_is(self, path: str) -> Path | None:
        """The directory that `path` is in, if nothing at and below `path` looks different when it is shown itself.

        None when something is excluded, special, on another file system, or not root's.
        """
        level = self._directory_level(path)
        pending = [(path, level)]
        device = self._directory.lstat(path).st_dev
        while pending:
            here, level = pending.pop()
            status = self._directory.lstat(here)
            kind = kind_of(status)
            is_shown = not self._patterns.excludes(level) and kind in ("file", "dir", "symlink")
            if not is_shown or status.st_uid or status.st_gid or status.st_dev != device:
                return None
            if kind == "dir":
                children = (join(here, name) for name in self._directory.names(here))
                pending.extend((child, self._patterns.level(child, level)) for child in children)
        return self._directory.path

    def _listed(self, path: str) -> Iterator[tuple[Node, int]]:
        """All that is in a directory and might be visible, with its level."""
        above = self._directory_level(path)
        prefix = f"{path}/" if path else ""
        levels = {
            name: level
            for name in self._directory.names(path)
            if self._may_exist(child := prefix + name, level := self._patterns.level(child, above))
        }
        for (name, level), status in zip(levels.items(), self._directory.lstats(path, levels), strict=True):
            node = None if status is None else self._node_of(prefix + name, status)
            if node is not None:
                yield node, level

    def _may_exist(self, path: str, level: int) -> bool:
        """False for what is surely excluded, so that it costs no system call."""
        return not self._patterns.excludes(level) or self._patterns.may_keep_below(path, level)

    def _is_visible(self, node: Node, level: int) -> bool:
        if not self._patterns.excludes(level):
            return True
        return node.entry.kind == "dir" and self._shows(node.entry.path)

    def _shows(self, directory: str) -> bool:
        """Whether something below an excluded directory is kept. Each directory is looked through once."""
        way = [(directory, self._listed(directory))]
        while way and directory not in self._shown:
            path, listed = way[-1]
            node, level = next(listed, (None, UNTOUCHED))
            if node is None:
                self._shown[path] = False
                way.pop()
            elif not self._patterns.excludes(level) or self._shown.get(node.entry.path):
                self._shown.update((each, True) for each, _ in way)
            elif node.entry.kind == "dir" and node.entry.path not in self._shown:
                way.append((node.entry.path, self._listed(node.entry.path)))
        return self._shown[directory]

    def _directory_level(self, path: str) -> int:
        missing: list[str] = []
        while (level := self._levels.get(path)) is None:
            missing.append(path)
            path = parent(path)
        for each in reversed(missing):
            level = self._levels[each] = self._patterns.level(each, level)
        return level

    def _node(self, path: str) -> Node | None:
        try:
            status = self._directory.lstat(path)
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            raise
        return self._node_of(path, status)

    def _node_of(self, path: str, status: os.stat_result) -> Node | None:
        try:
            node = node_of(self._directory, path, status)
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            raise
        return None if node is None else _as_seen(node, status)


def _as_seen(node: Node, status: os.stat_result) -> Node:
    """The node as the build sees it: it belongs to root, and says whether its file has other names."""
    entry, content = node.entry, node.content
    if entry.uid or entry.gid:
        entry = msgspec.structs.replace(entry, uid=0, gid=0)
    if content is not None and status.st_nlink > 1:
        content = LinkedContent(content)
    return node if entry is node.entry and content is node.content else Node(entry, content)
