"""Where something stands in a source text, so that an error can show the lines around it."""

from __future__ import annotations

from typing import Final

import msgspec

from builder.system.errors import DockyardError

_RULER: Final = "-" * 20


class SourceFile(msgspec.Struct, frozen=True):
    """A text that a graph was made from; `name` is what the reader calls it (`Dockerfile`)."""

    name: str
    text: str


class Location(msgspec.Struct, frozen=True):
    """Lines `first` to `last` of a source, counted from 1, both included."""

    source: SourceFile
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.source.name}:{self.first}"


class LocatedError(DockyardError):
    """An error that belongs to lines of a source text; printed with the excerpt above the message."""

    def __init__(self, message: str, *, location: Location | None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.location = location

    @property
    def locations(self) -> tuple[Location, ...]:
        """All places to show, in the order of the messages."""
        return () if self.location is None else (self.location,)


def excerpt(location: Location, *, file: str = "") -> str:
    """The lines of `location` marked, with a few around them, in the form that buildx users know.

    `file` is what to call the source instead of its name.
    A single line gets two lines of context on each side, more where the file ends on the other.
    """
    # Only a line feed ends a line of a Dockerfile; `splitlines` knows a dozen other characters. What stands
    # behind the last one is a line, too, as in BuildKit's excerpts.
    lines = [line.rstrip("\r") for line in location.source.text.split("\n")]
    first, last = max(1, location.first), min(max(location.last, location.first), len(lines))
    start, end = _padded(first, last, len(lines))
    body = [
        f" {number:3d} | {'>>>' if first <= number <= last else '   '} {lines[number - 1]}"
        for number in range(start, end + 1)
    ]
    head = f"{file or location.source.name}:{location.first}"
    return "\n".join([head, _RULER, *body, _RULER])


def _padded(first: int, last: int, total: int) -> tuple[int, int]:
    padding = 4 if first == last else 2
    added = 0
    while added < padding:
        if first > 1:
            first -= 1
            added += 1
        if last < total:
            last += 1
            added += 1
        added += 1
    return first, last
