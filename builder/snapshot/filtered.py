"""Walks that leave things out: `--exclude`, and the patterns of `--parents`.

Both are ignore patterns, asked level by level. A directory that is not wanted itself comes along as soon as
something below it is, and directories that cannot hold anything wanted are not opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.graph.patterns import UNTOUCHED, IgnorePatterns
from builder.system.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from builder.snapshot.entry import FileView, Node


class _Level(Value, frozen=True):
    """What the patterns say of a directory, for what stands below it."""

    include: int = UNTOUCHED
    exclude: int = UNTOUCHED


class Filter:
    """What a walk yields: paths below its start that `include` matches, None for all, but not `exclude`."""

    def __init__(self, *, include: str | None, exclude: Sequence[str]) -> None:
        """Raises: PatternError."""
        self._include = None if include is None else IgnorePatterns((_plain(include),))
        self._depth = None if include is None or "**" in include else include.count("/") + 1
        self._exclude = IgnorePatterns(exclude)

    def level(self, path: str, above: _Level) -> _Level:
        """The level of `path`, relative to the start, in a directory at level `above`."""
        include = UNTOUCHED if self._include is None else self._include.level(path, above.include)
        return _Level(include, self._exclude.level(path, above.exclude))

    def wants(self, level: _Level) -> bool:
        """Whether what has this level is yielded."""
        return self._includes(level) and not self._exclude.excludes(level.exclude)

    def may_want_below(self, path: str, level: _Level) -> bool:
        """False for a directory below which nothing is yielded."""
        if self._exclude.excludes(level.exclude) and not self._exclude.may_keep_below(path, level.exclude):
            return False
        return self._includes(level) or self._depth is None or path.count("/") + 1 < self._depth

    def _includes(self, level: _Level) -> bool:
        return self._include is None or self._include.excludes(level.include)


def filtered_walk(source: FileView, start: str, wanted: Filter) -> Iterator[Node]:
    """What `wanted` selects below the directory `start`, with the directories on the way, sorted depth first.

    Not recursive: sources may be deep.
    """
    prefix = len(start) + 1 if start else 0
    pending = [(iter(source.children(start)), _Level())]
    # The directories that lead to where the walk is; None for one that was yielded already.
    way: list[Node | None] = []
    while pending:
        children, above = pending[-1]
        for node in children:
            path = node.entry.path[prefix:]
            level = wanted.level(path, above)
            is_wanted = wanted.wants(level)
            if is_wanted:
                yield from (each for each in way if each is not None)
                way = [None] * len(way)
                yield node
            if node.entry.kind == "dir" and wanted.may_want_below(path, level):
                pending.append((iter(source.children(node.entry.path)), level))
                way.append(None if is_wanted else node)
                break
        else:
            pending.pop()
            if way:
                way.pop()


def _plain(pattern: str) -> str:
    """`pattern` without the special meaning that a mark of exclusion has in front of it."""
    return f"\\{pattern}" if pattern.startswith("!") else pattern
