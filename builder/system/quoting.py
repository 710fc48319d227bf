"""Text in double quotes, as messages and image histories show it.

BuildKit's own messages are quoted so, and people search for them. Source: Go's strconv.Quote.
"""

from __future__ import annotations

from typing import Final

_ESCAPES: Final = {
    "\\": "\\\\", '"': '\\"', "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t",
    "\v": "\\v",
}  # fmt: skip


def quote(text: str) -> str:
    """`text` in double quotes on one line; what is not printable is escaped."""
    return f'"{"".join(map(_escape, text))}"'


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
