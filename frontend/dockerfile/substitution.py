"""Shell patterns of `${name#pattern}` and `${name/pattern/replacement}`.

`*` and `?` stop at the end of a line. A pattern is compiled piece by piece between its stars, and a piece
that was found is never looked for again further on, so that no pattern makes matching explode.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from frontend.dockerfile.errors import ExpansionError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ESCAPABLE: Final = "*?\\/}"


class _Token(msgspec.Struct, frozen=True):
    """A character of the pattern; `wild` for `*` and `?` that have their meaning."""

    character: str
    wild: bool


def trim_prefix(value: str, pattern: str, *, longest: bool) -> str:
    """`value` without what `pattern` matches at its start."""
    matched = _compile(_tokens(pattern), longest).match(value)
    return value[matched.end() :] if matched else value


def trim_suffix(value: str, pattern: str, *, longest: bool) -> str:
    """`value` without what `pattern` matches at its end."""
    matched = _compile(_tokens(pattern)[::-1], longest).match(value[::-1])
    return value[: len(value) - matched.end()] if matched else value


def find_matches(value: str, pattern: str) -> Iterator[tuple[int, int]]:
    """Start and end of each longest match, left to right, none touching the text of another."""
    tokens = _tokens(pattern)
    pieces = _pieces(tokens)
    head = re.compile(pieces[0])
    tail = _compile(tokens[_first_star(tokens) :], longest=True)
    reach = _first_star(tokens)
    position, previous = 0, -1
    while position <= len(value) and (start := head.search(value, position)):
        matched = tail.match(value, start.end())
        if matched:
            if matched.end() > start.start() or start.start() != previous:
                yield start.start(), matched.end()
            previous = matched.end()
            position = max(matched.end(), start.start() + 1)
            continue
        # What is missing behind this start is missing behind every other one on the line.
        line_end = value.find("\n", start.end())
        if line_end < 0:
            return
        position = max(start.start() + 1, line_end + 1 - reach)


@lru_cache(maxsize=256)
def _tokens(pattern: str) -> tuple[_Token, ...]:
    tokens: list[_Token] = []
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            escaped = next(characters, "")
            if not escaped or escaped not in _ESCAPABLE:
                reason = f"invalid escape '\\{escaped}'"
                raise ExpansionError(f"invalid pattern ({pattern}) in substitution: {reason}")
            tokens.append(_Token(escaped, wild=False))
        else:
            tokens.append(_Token(character, wild=character in "*?"))
    return tuple(tokens)


def _is_star(token: _Token) -> bool:
    return token.wild and token.character == "*"


def _first_star(tokens: tuple[_Token, ...]) -> int:
    return next((index for index, token in enumerate(tokens) if _is_star(token)), len(tokens))


def _pieces(tokens: tuple[_Token, ...]) -> list[str]:
    """Expressions for what stands between the stars; one more than there are stars."""
    pieces = [""]
    for token in tokens:
        if _is_star(token):
            pieces.append("")
        else:
            pieces[-1] += "." if token.wild else re.escape(token.character)
    return pieces


@lru_cache(maxsize=256)
def _compile(tokens: tuple[_Token, ...], longest: bool) -> re.Pattern[str]:  # noqa: FBT001 - key of the cache
    head, *rest = _pieces(tokens)
    if not rest:
        return re.compile(head)
    middle = "".join(f"(?>.*?{piece})" for piece in rest[:-1] if piece)
    last = f"(?>.*{rest[-1]})" if longest else f"(?>.*?{rest[-1]})"
    return re.compile(head + middle + last)
