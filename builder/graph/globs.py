r"""Glob patterns as regular expressions that cannot run away.

Two languages share one syntax. Sources of COPY match component by component (`*`, `?`, `[...]`, `\c`); ignore
patterns match whole paths and know `**` as well. Patterns are hostile input, and `a*a*a*b` makes a naive
regular expression try every split of the text. Here each run of text behind a star is an atomic group, found
at its first place and never sought again; that is enough, for a star takes whatever lies between two runs.
Source: Go `path/filepath.Match` for the syntax, its errors included.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Matcher: TypeAlias = Callable[[str], object]
    """Says whether a whole text matches, by a value that is true or false."""

STAR: Final = object()
"""Any run of characters of one component."""
DEEP: Final = object()
"""Any number of whole components, also none, with the slash behind them."""
REST: Final = object()
"""Anything at all, slashes included."""

Token: TypeAlias = object
"""STAR, DEEP, REST, one literal character, or a longer text: the regular expression for one character."""

_ANY: Final = "[^/]"


class PatternError(DockyardError):
    """A pattern that cannot be read."""


def has_wildcard(text: str) -> bool:
    """Whether `text` holds `*`, `?` or `[` without a backslash in front."""
    return re.search(r"[*?[]", re.sub(r"\\.", "", text, flags=re.DOTALL)) is not None


def unescape(text: str) -> str:
    """The one name that a pattern without wildcards stands for."""
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def exactly(name: str) -> str:
    """The component of a COPY source that selects the file `name` and no other.

    Until a wildcard comes, a backslash is a part of the name: so no backslash can take its meaning from a wildcard,
    but a class can.
    """
    if not has_wildcard(name):
        return name
    return re.sub(r"[*?[]", r"[\g<0>]", name.replace("\\", "\\\\"))


def component_matcher(pattern: str) -> Matcher:
    """Tells which names a wildcard component of a COPY source selects.

    Raises: PatternError.
    """
    tokens = [STAR if token in (DEEP, REST) else token for token in tokenize(pattern)]
    return compile_patterns([tokens])


def literal(tokens: Sequence[Token]) -> str | None:
    """The only text that `tokens` match; None when there may be others."""
    if all(isinstance(token, str) and len(token) == 1 for token in tokens):
        return "".join(map(str, tokens))
    return None


def compile_patterns(patterns: Iterable[Sequence[Token]]) -> Matcher:
    """Tells whether a text matches any of `patterns`."""
    return re.compile("|".join(regex(tokens) for tokens in patterns), re.DOTALL).fullmatch


def tokenize(pattern: str) -> list[Token]:
    """The tokens of `pattern`, slashes as characters of their own.

    Raises: PatternError.
    """
    tokens: list[Token] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if pattern.startswith("**", position):
            position += 2 + pattern.startswith("/", position + 2)
            _append_deep(tokens, at_end=position == len(pattern))
            continue
        position += 1
        if character == "*":
            if not tokens or tokens[-1] is not STAR:
                tokens.append(STAR)
        elif character == "?":
            tokens.append(_ANY)
        elif character == "[":
            expression, position = _read_class(pattern, position)
            tokens.append(expression)
        elif character == "\\":
            tokens.append(_character(pattern, position))
            position += 1
        else:
            tokens.append(character)
    return _with_loose_suffix(tokens, pattern)


def regex(tokens: Sequence[Token]) -> str:
    """The regular expression of `tokens`, to be used with `fullmatch`."""
    parts: list[str] = []
    segments = _split(tokens, DEEP)
    for index, segment in enumerate(segments):
        last = index == len(segments) - 1
        expression = _segment(segment, last=last)
        if index == 0:
            parts.append(expression)
        elif last:
            parts.append("(?:.*/)?" + expression)
        else:
            parts.append(f"(?>(?:.*?/)??{expression})")
    return "".join(parts)


def _segment(tokens: Sequence[Token], *, last: bool) -> str:
    """Tokens without DEEP; REST stands at the start or the end only, where it needs no care."""
    head, *runs = _split(tokens, STAR)
    parts = [_text(head)]
    for index, run in enumerate(runs):
        if last and index == len(runs) - 1:
            parts.append(f"{_ANY}*{_text(run)}")
        else:
            parts.append(f"(?>{_ANY}*?{_text(run)})")
    return "".join(parts)


def _text(tokens: Sequence[Token]) -> str:
    return "".join(".*" if token is REST else _one(str(token)) for token in tokens)


def _one(token: str) -> str:
    return re.escape(token) if len(token) == 1 else token


def _split(tokens: Sequence[Token], separator: Token) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token is separator:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _append_deep(tokens: list[Token], *, at_end: bool) -> None:
    if at_end:
        while tokens and tokens[-1] is DEEP:
            tokens.pop()
        tokens.append(REST)
    elif not tokens or tokens[-1] is not DEEP:
        tokens.append(DEEP)


def _with_loose_suffix(tokens: list[Token], pattern: str) -> list[Token]:
    """`**text` without other wildcards is any path that ends in `text`; else `**` is whole components."""
    loose = tokens and tokens[0] is DEEP and not pattern.startswith("**/") and "\\" not in pattern
    return [REST, *tokens[1:]] if loose and literal(tokens[1:]) is not None else tokens


def _read_class(pattern: str, position: int) -> tuple[str, int]:
    """The class whose text starts at `position`, behind the bracket; returns where the pattern goes on."""
    negated = pattern.startswith("^", position)
    position += negated
    ranges: list[str] = []
    while not ranges or not pattern.startswith("]", position):
        low, position = _class_character(pattern, position)
        high = low
        if pattern.startswith("-", position):
            high, position = _class_character(pattern, position + 1)
        if low > high:
            raise _syntax_error(pattern)
        ranges.append(f"{re.escape(low)}-{re.escape(high)}")
    return f"(?!/)[{'^' if negated else ''}{''.join(ranges)}]", position + 1


def _class_character(pattern: str, position: int) -> tuple[str, int]:
    character = _character(pattern, position)
    if character in "-]":
        raise _syntax_error(pattern)
    if character == "\\":
        return _character(pattern, position + 1), position + 2
    return character, position + 1


def _character(pattern: str, position: int) -> str:
    if position >= len(pattern):
        raise _syntax_error(pattern)
    return pattern[position]


def _syntax_error(pattern: str) -> PatternError:
    return PatternError("syntax error in pattern", hint=f"the pattern is {pattern[:200]!r}")
