"""Signal names that STOPSIGNAL accepts; those of Linux, whatever this machine is."""

from __future__ import annotations

import re
from typing import Final

_NAMES: Final = (
    frozenset(
        "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS "
        "TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX".split()
    )
    | {f"RTMIN+{n}" for n in range(1, 16)}
    | {f"RTMAX-{n}" for n in range(1, 15)}
)
_NUMBER: Final = r"[+-]?[0-9]{1,18}"


def is_signal(text: str) -> bool:
    """Whether `text` is a number other than 0, or a name, with or without `SIG`, in any case."""
    if re.fullmatch(_NUMBER, text):
        return int(text) != 0
    return text.upper().removeprefix("SIG") in _NAMES
