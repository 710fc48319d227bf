"""Ignore patterns: which paths of a context a build does not see.

A path is excluded or kept by the last pattern that matches it or one of its parent directories. A walk asks
level by level, so what matched a directory is not asked again for what stands below it; neighbouring patterns
of one kind become one regular expression; and a directory from which no `!` pattern can bring anything back
is never opened. Source: the rules of `.dockerignore` files.
"""

from __future__ import annotations

import posixpath
from itertools import groupby
from typing import TYPE_CHECKING, Final

import msgspec

from builder.graph.globs import DEEP, REST, PatternError, Token, compile_patterns, literal, tokenize

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from builder.graph.globs import Matcher

UNTOUCHED: Final = -1
"""The level of a path that no pattern has matched: it is kept."""

_MAX_PATTERNS: Final = 10_000


class IgnorePatterns:
    """Compiled ignore patterns; immutable.

    A *level* says which pattern was the last to match a path or a parent of it. Paths are relative to the
    context, without a slash at either end.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        """Raises: PatternError."""
        parsed = [each for each in map(_parse, patterns) if each is not None]
        if len(parsed) > _MAX_PATTERNS:
            raise PatternError(f"{len(parsed)} ignore patterns are too many: the limit is {_MAX_PATTERNS}")
        runs = groupby(parsed, key=lambda pattern: pattern.keep)
        self._groups = tuple(_Group(list(members), keep=keep) for keep, members in runs)

    def level(self, path: str, parent: int = UNTOUCHED) -> int:
        """The level of `path`; `parent` is that of the directory it stands in."""
        name = path.rpartition("/")[2]
        for index in range(len(self._groups) - 1, parent, -1):
            if self._groups[index].matches(path, name):
                return index
        return parent

    def excludes(self, level: int) -> bool:
        """Whether paths at `level` are excluded."""
        return level != UNTOUCHED and not self._groups[level].keep

    def may_keep_below(self, directory: str, level: int) -> bool:
        """Whether something below an excluded directory, itself at `level`, could be kept.

        False only if nothing can be; so it tells which directories need not be walked.
        """
        components = directory.split("/")
        return any(group.may_match_below(components) for group in self._groups[level + 1 :] if group.keep)

    def excludes_path(self, path: str) -> bool:
        """Whether `path`, with all its parents taken into account, is excluded."""
        level = UNTOUCHED
        end = path.find("/")
        while end != -1:
            level = self.level(path[:end], level)
            end = path.find("/", end + 1)
        return self.excludes(self.level(path, level))


class _Pattern(msgspec.Struct, frozen=True):
    """One pattern: what it matches is kept (`!`) or excluded."""

    keep: bool
    tokens: list[Token]


class _Group:
    """Neighbouring patterns of one kind: their order among themselves does not matter."""

    def __init__(self, patterns: Sequence[_Pattern], *, keep: bool) -> None:
        self.keep = keep
        self._names: set[str] = set()
        self._paths: set[str] = set()
        name_patterns: list[Sequence[Token]] = []
        path_patterns: list[Sequence[Token]] = []
        for pattern in patterns:
            tokens, literals, others = pattern.tokens, self._paths, path_patterns
            if tokens[0] is DEEP and not any(token in ("/", DEEP, REST) for token in tokens[1:]):
                # `**/name` is a question about the last component alone, which is cheaper to answer.
                tokens, literals, others = tokens[1:], self._names, name_patterns
            text = literal(tokens)
            if text is None:
                others.append(tokens)
            else:
                literals.add(text)
        self._name_matcher = compile_patterns(name_patterns) if name_patterns else None
        self._path_matcher = compile_patterns(path_patterns) if path_patterns else None
        self._stems = [_Stem(pattern.tokens) for pattern in patterns] if keep else []

    def matches(self, path: str, name: str) -> bool:
        return bool(
            path in self._paths
            or name in self._names
            or (self._name_matcher is not None and self._name_matcher(name))
            or (self._path_matcher is not None and self._path_matcher(path))
        )

    def may_match_below(self, components: Sequence[str]) -> bool:
        return any(stem.leads_through(components) for stem in self._stems)


class _Stem:
    """The components of a pattern in front of its first `**`: which directories it can have matches below."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        components: list[list[Token]] = [[]]
        self._open_end = False
        for token in tokens:
            if token is DEEP or token is REST:
                self._open_end = True
                components.pop()
                break
            if token == "/":
                components.append([])
            else:
                components[-1].append(token)
        self._matchers: list[Matcher] = [compile_patterns([component]) for component in components]

    def leads_through(self, components: Sequence[str]) -> bool:
        if len(components) >= len(self._matchers) and not self._open_end:
            return False
        # The shorter side decides: a `**` takes all components that the stem does not name.
        return all(matches(name) for matches, name in zip(self._matchers, components, strict=False))


def _parse(line: str) -> _Pattern | None:
    text = line.strip()
    keep = text.startswith("!")
    if keep:
        text = text[1:].strip()
        if not text:
            raise PatternError('illegal exclusion pattern: "!"')
    if not text:
        return None
    # An absolute pattern matches nothing: whoever reads ignore files has cut their slashes.
    return _Pattern(keep=keep, tokens=tokenize(posixpath.normpath(text)))
