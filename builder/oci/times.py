"""Times as documents write them: RFC 3339 with any offset and any number of digits, read to the nanosecond."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_FRACTION: Final = re.compile(r"\.(\d+)", re.ASCII)
_BILLION: Final = 1_000_000_000


def parse_time(text: str) -> int | None:
    """Nanoseconds since the epoch; None for what is no time, or one before the epoch.

    Source: RFC 3339, 5.6; Go writes nine digits, which the standard library cuts to six.
    """
    found = _FRACTION.search(text)
    fraction = int(found[1][:9].ljust(9, "0")) if found else 0
    try:
        moment = datetime.fromisoformat(_FRACTION.sub("", text, count=1))
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = int(moment.timestamp())
    return seconds * _BILLION + fraction if seconds >= 0 else None
