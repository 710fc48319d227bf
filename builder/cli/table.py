"""Tables for people: columns as wide as they must be, two or more blanks between them, as Docker prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.progress.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_GAP: Final = 3
_AGES: Final = (
    (60, 1, "second"),
    (3600, 60, "minute"),
    (48 * 3600, 3600, "hour"),
    (14 * 86400, 86400, "day"),
    (60 * 86400, 7 * 86400, "week"),
    (730 * 86400, 30 * 86400, "month"),
)
_YEAR: Final = 365 * 86400


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of equal columns under `header`, each with a newline at its end."""
    cells = [[one_line(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) + _GAP for column in range(len(header))]
    lines = ("".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "".join(line.rstrip() + "\n" for line in lines)


def age(then: datetime, now: datetime) -> str:
    """How long ago `then` was: `3 hours ago`."""
    seconds = max(0, int((now - then).total_seconds()))
    unit, word = next(((unit, word) for limit, unit, word in _AGES if seconds < limit), (_YEAR, "year"))
    count = seconds // unit
    return f"{count} {word}{'' if count == 1 else 's'} ago"
