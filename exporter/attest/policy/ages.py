"""Lengths of time as policies write them: `12h`, `30d`, `8w`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

_AGE: Final = re.compile(r"(\d{1,6})([hdw])", re.ASCII)
_HOURS: Final = {"h": 1, "d": 24, "w": 7 * 24}


def parse_age(text: str) -> timedelta:
    """The length of time. Raises: ValueError."""
    match = _AGE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no length of time: write for example '12h', '30d' or '8w'")
    return timedelta(hours=int(match[1]) * _HOURS[match[2]])
