"""Patterns of names and URIs: `*` is any run of characters, slashes among them; all else is itself.

Matched by looking for the pieces from left to right, so that no value, however hostile, takes more than a pass
over it for each piece.
"""

from __future__ import annotations

import msgspec


class Pattern(msgspec.Struct, frozen=True):
    """`text` with its stars."""

    text: str

    def matches(self, value: str) -> bool:
        """Whether all of `value` fits."""
        first, *rest = self.text.split("*")
        if not rest:
            return value == first
        *middle, last = rest
        position, end = len(first), len(value) - len(last)
        if end < position or not (value.startswith(first) and value.endswith(last)):
            return False
        for piece in middle:
            found = value.find(piece, position, end)
            if found < 0:
                return False
            position = found + len(piece)
        return True

    def __str__(self) -> str:
        return self.text


def fits(patterns: tuple[Pattern, ...], *values: str) -> bool:
    """Whether any of `patterns` matches any of `values`."""
    return any(pattern.matches(value) for pattern in patterns for value in values)


def listed(patterns: tuple[Pattern, ...]) -> str:
    """`patterns` as messages name them."""
    return ", ".join(map(str, patterns))
