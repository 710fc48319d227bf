"""JSON in which an object has two members of one name: two readers may take different ones, so it says two things.

Counts the names in the text, and again after a decoder has taken one of each: no tree is walked, and a document
of many megabytes is looked through in a fraction of the time that a parser with a hook for every object takes.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

MAX_LOOKED_AT: Final = 64 << 20
"""Bytes of the largest document that is looked through: as objects it takes ten times as much memory."""

TWINS: Final = "a JSON object has two members of one name"

# Strings in one go each, so that what stands inside of one is never taken for another.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"(\s*:)?', re.DOTALL)

# Numbers stay text: none is too large, and none is read for nothing.
_DECODER: Final = msgspec.json.Decoder(float_hook=str)


def has_twins(document: bytes) -> bool:
    """Whether an object of `document`, at any depth, has two members of one name, however they are written.

    Raises: ValueError when it is no JSON, or nested too deeply.
    """
    try:
        decoded = _DECODER.decode(document)
        return _names(document) != _names(msgspec.json.encode(decoded))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def _names(text: bytes) -> int:
    # In one call: a loop over the strings of an SBOM would take most of the time of a verification.
    colons = _STRING.findall(text)
    return len(colons) - colons.count(b"")
