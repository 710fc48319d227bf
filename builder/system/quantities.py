"""Sizes and times as people write them, in the spellings that Docker and Go take."""

from __future__ import annotations

import re
from typing import Final

from builder.system.errors import UsageError

_SIZE: Final = r"(?ai)(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?"
_UNITS: Final = {unit: 1024**power for power, unit in enumerate(("", "k", "m", "g", "t", "p"))}
_DURATION: Final = r"(?a)(?:\d+(?:\.\d*)?(?:h|m|s|ms|us|ns))+"
_PART: Final = r"(?a)(\d+(?:\.\d*)?)(h|ms|m|s|us|ns)"
_SECONDS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def parse_size(where: str, word: str) -> int:
    """Bytes of a size such as `64m`, `1.5GiB` or `4096`; units are powers of 1024.

    `where` is the flag or key that says so. Raises: UsageError.
    """
    matched = re.fullmatch(_SIZE, word.strip())
    if matched is None:
        raise UsageError(f"{where}: invalid size: {word!r}", hint="sizes look like 64m or 1g")
    return int(float(matched[1]) * _UNITS[matched[2].lower()])


def parse_share(where: str, word: str, *, whole: int) -> int:
    """Bytes of a size, or of a percentage of `whole`. Raises: UsageError."""
    number, percent, rest = word.strip().partition("%")
    if not percent:
        return parse_size(where, word)
    if rest or not number.strip().isdecimal() or int(number) > 100:
        raise UsageError(f"{where}: invalid share of a disk: {word!r}", hint="shares look like 20%")
    return whole * int(number) // 100


def parse_duration(where: str, word: str) -> float:
    """Seconds of a duration such as `24h` or `1h30m`, as Go writes it. Raises: UsageError."""
    if re.fullmatch(_DURATION, word.strip()) is None:
        raise UsageError(f"{where} expects a duration (e.g., '24h')")
    return sum(float(number) * _SECONDS[unit] for number, unit in re.findall(_PART, word))
