"""Durations as Go reads and writes them: `1h2m`, `1.5s`, `100ms`; whole nanoseconds in between.

Source: `time.ParseDuration` and `Duration.String` of Go's standard library.
"""

from __future__ import annotations

import re
from typing import Final

from builder.system.quoting import quote

MILLISECOND: Final = 1_000_000
_SECOND: Final = 1000 * MILLISECOND
_UNITS: Final = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,
    "μs": 1000,
    "ms": MILLISECOND,
    "s": _SECOND,
    "m": 60 * _SECOND,
    "h": 3600 * _SECOND,
}
_PART: Final = r"(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))([^0-9.]*)"
_MAX: Final = 2**63 - 1
_DIGITS: Final = 19


class InvalidDuration(Exception):
    """Text that is no duration."""


def read_duration(text: str) -> int:
    """Nanoseconds. Raises: InvalidDuration."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return 0
    pattern = re.compile(_PART)
    total = position = 0
    while position < len(rest) or not rest:
        matched = pattern.match(rest, position)
        if matched is None:
            raise InvalidDuration(f"time: invalid duration {quote(text)}")
        total += _part(matched, text)
        position = matched.end()
        if total > _MAX:
            raise InvalidDuration(f"time: invalid duration {quote(text)}")
    return sign * total


def _part(matched: re.Match[str], text: str) -> int:
    whole, fraction, bare, name = matched.groups("")
    unit = _UNITS.get(name)
    if not name:
        raise InvalidDuration(f"time: missing unit in duration {quote(text)}")
    if unit is None:
        raise InvalidDuration(f"time: unknown unit {quote(name)} in duration {quote(text)}")
    digits = (fraction or bare)[:_DIGITS]
    if len(whole.lstrip("0")) > _DIGITS:
        raise InvalidDuration(f"time: invalid duration {quote(text)}")
    scale: int = 10 ** len(digits)
    return int(whole.lstrip("0") or "0") * unit + int(digits or "0") * unit // scale


def format_duration(nanoseconds: int) -> str:
    """The shortest form that Go writes: `0s`, `1.5ms`, `1m30s`, `1h0m0s`."""
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if rest == 0:
        return "0s"
    if rest < _SECOND:
        unit = next(name for name in ("ms", "µs", "ns") if rest >= _UNITS[name])
        return f"{sign}{_decimal(rest, _UNITS[unit])}{unit}"
    minutes, seconds = divmod(rest, _UNITS["m"])
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(seconds, _SECOND)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{sign}{hours}h{text}" if hours else f"{sign}{text}"


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    if not rest:
        return str(whole)
    digits = len(str(unit)) - 1
    return f"{whole}.{rest:0{digits}d}".rstrip("0")
