"""The `WWW-Authenticate` header: what a server wants before it answers. Source: RFC 9110, 11.6.1."""

from __future__ import annotations

import re
from typing import Final

import msgspec

_MAX_HEADER: Final = 16 << 10
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PART: Final = re.compile(
    rf'\s*(?:(?P<key>{_TOKEN})\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,"]+))|(?P<scheme>{_TOKEN}))\s*,?',
    re.ASCII,
)


class Challenge(msgspec.Struct, frozen=True):
    """A scheme, in lower case, with its parameters, their names in lower case."""

    scheme: str
    parameters: dict[str, str]


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """The challenges of a header, in order; several headers are joined by commas. What is malformed ends it."""
    found: list[Challenge] = []
    position = 0
    text = header[:_MAX_HEADER].rstrip()
    while position < len(text) and (part := _PART.match(text, position)):
        position = part.end()
        if part["scheme"]:
            found.append(Challenge(part["scheme"].lower(), {}))
        elif found:
            value = part["plain"] if part["quoted"] is None else re.sub(r"\\(.)", r"\1", part["quoted"])
            found[-1].parameters.setdefault(part["key"].lower(), value)
    return tuple(found)
