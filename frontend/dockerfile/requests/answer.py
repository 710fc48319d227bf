"""The form that all answers share."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import msgspec

from builder.oci.manifest import escape_html
from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from builder.graph import Location


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as text and as JSON.

    `error` is what kept the file from being read to its end, and `file` what people call that.
    """

    text: str
    document: str
    failed: bool = False
    error: DockyardError | None = None
    file: str = ""


class Position(msgspec.Struct, frozen=True):
    """A line, from 1."""

    line: int


class Range(msgspec.Struct, frozen=True):
    """Lines, both included."""

    start: Position
    end: Position


class Place(msgspec.Struct, frozen=True):
    """The lines of an instruction, each as a range of its own."""

    ranges: tuple[Range, ...]


def place(location: Location) -> Place:
    """`location` as documents have it."""
    lines = (Position(number) for number in range(location.first, location.last + 1))
    return Place(tuple(Range(line, line) for line in lines))


def encode(document: msgspec.Struct) -> str:
    """`document` in the layout, and with the escapes, of Go's encoder."""
    return escape_html(msgspec.json.format(msgspec.json.encode(document), indent=2)).decode()


def base64_text(text: str) -> str:
    """The bytes of `text` as JSON holds them."""
    return base64.b64encode(text.encode()).decode()


def table(rows: Iterable[Sequence[str]], *, gap: int = 3) -> str:
    """Columns `gap` blanks apart; the last is as wide as it is."""
    lines = list(rows)
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    padded = (
        "".join(f"{cell:{width + gap}}" for cell, width in zip(line[:-1], widths, strict=False)) + line[-1]
        for line in lines
    )
    return "".join(f"{line}\n" for line in padded)


def described(name: str, comments: Iterable[str]) -> str:
    """What the comments before a definition say about `name`."""
    prefix = f"{name} "
    return next((each.removeprefix(prefix) for each in comments if each.startswith(prefix)), "")
