"""Times in image documents: RFC 3339 text, compared as moments.

Texts of base images are other people's, with any offset and any number of digits; one that is no time at all
counts as later than everything, so that a fixed epoch replaces it.
"""

from __future__ import annotations

from datetime import UTC, datetime

_BILLION = 1_000_000_000


def format_time(nanoseconds: int) -> str:
    """The moment in UTC as Go writes it: the fraction without trailing zeros, left out when it is zero."""
    seconds, fraction = divmod(nanoseconds, _BILLION)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    digits = f".{fraction:09d}".rstrip("0").rstrip(".")
    return f"{text}{digits}Z"


def clamped(time: str | None, epoch: int | None) -> str | None:
    """`time`, or the epoch (seconds) if that is set and earlier, or if there is no time."""
    if epoch is None or (time is not None and not _is_later(time, epoch)):
        return time
    return format_time(epoch * _BILLION)


def _is_later(time: str, epoch: int) -> bool:
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return True
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment > datetime.fromtimestamp(epoch, UTC)
