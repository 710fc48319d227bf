"""How long and how often: the numbers that bound every exchange with a registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from datetime import datetime


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds; times in seconds.

    `attempts` for one request, and for one stretch of a transfer in which no byte arrives. `patience` is the
    longest wait that a registry may ask for. `parallel` transfers at once.
    """

    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 8
    patience: float = 120
    silence: float = 60
    parallel: int = 4

    def wait(self, failures: int) -> float:
        """How long to wait after so many failures in a row."""
        return min(self.first_wait * 2.0 ** (failures - 1), self.longest_wait)


def retry_after(value: str, now: datetime) -> float | None:
    """What a `Retry-After` header asks for, in seconds; None when it says nothing that can be read.

    Source: RFC 9110, 10.2.3.
    """
    # Loaded here because registries rarely ask for a date, and never at the start.
    from email.utils import parsedate_to_datetime

    text = value.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (ValueError, TypeError):
        return None
