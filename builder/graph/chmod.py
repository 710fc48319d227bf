"""Modes as `--chmod` spells them: octal, or symbolic changes to the mode that a file has.

The umask counts as zero. Source: chmod(1) as BSD's setmode(3) reads it, which is what BuildKit follows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SETUID: Final = 0o4000
_SETGID: Final = 0o2000
_STICKY: Final = 0o1000
_EXECUTE: Final = 0o111
_LARGEST: Final = 0o7777
# Without "who" a change goes to all, but `=` leaves the sticky bit alone unless it is named.
_ALL: Final = _SETUID | _SETGID | 0o777
_WHO: Final = {"u": _SETUID | 0o700, "g": _SETGID | 0o070, "o": 0o007, "a": _ALL}
_LETTERS: Final = {"r": 0o444, "w": 0o222, "x": _EXECUTE, "X": 0}
_SHIFTS: Final = {"u": 6, "g": 3, "o": 0}

_CLAUSE: Final = r"([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)"
_OPERATION: Final = r"([-+=])([rwxXst]+|[ugo]|)"


class ChmodError(DockyardError):
    """Text that is not a mode."""


class _Change(NamedTuple):
    who: int
    operator: str
    letters: str
    only_others: bool


class SymbolicMode:
    """Changes to a mode, such as `u=rwX,go-w`; immutable."""

    def __init__(self, text: str) -> None:
        """Raises: ChmodError."""
        changes: list[_Change] = []
        for clause in text.split(","):
            match = re.fullmatch(_CLAUSE, clause)
            if match is None:
                raise ChmodError(f"invalid chmod parameter: '{text}': invalid syntax")
            changes.extend(_changes(match[1], match[2]))
        self._changes: Sequence[_Change] = changes

    def apply(self, mode: int, *, directory: bool) -> int:
        """The mode that a file of `mode` gets; `X` counts the execute bits that it had at first."""
        result = mode
        for change in self._changes:
            bits = _bits(change, result, search=directory or bool(mode & _EXECUTE))
            if change.operator == "-":
                result &= ~bits
                continue
            if change.operator == "=":
                result &= ~_cleared(change)
            result |= bits
        return result


def parse_mode(text: str) -> int | SymbolicMode:
    """Reads what stands behind `--chmod=`.

    Raises: ChmodError.
    """
    if not text[:1].isdigit():
        return SymbolicMode(text)
    if not re.fullmatch("[0-7]+", text, re.ASCII) or int(text, 8) > _LARGEST:
        raise ChmodError(
            f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777"
        )
    return int(text, 8)


def _changes(who: str, operations: str) -> list[_Change]:
    mask = 0
    for letter in who:
        mask |= _WHO[letter]
    only_others = bool(who) and not set(who) - {"o"}
    found = re.findall(_OPERATION, operations)
    return [_Change(mask or _ALL, operator, letters, only_others) for operator, letters in found]


def _bits(change: _Change, mode: int, *, search: bool) -> int:
    """The bits that an operation sets or clears in `mode`, as it is by now."""
    if change.letters in _SHIFTS:
        copied = mode >> _SHIFTS[change.letters] & 0o7
        return (copied << 6 | copied << 3 | copied) & change.who
    bits = 0
    for letter in change.letters:
        bits |= _LETTERS.get(letter, 0)
    if "X" in change.letters and search:
        bits |= _EXECUTE
    if "s" in change.letters and not change.only_others:
        bits |= _SETUID | _SETGID
    sticky = _STICKY if "t" in change.letters and not change.only_others else 0
    return bits & change.who | sticky


def _cleared(change: _Change) -> int:
    """The bits that `=` takes away first: a copied class leaves the set-id bits as they were."""
    if change.letters in _SHIFTS:
        return change.who & 0o777
    sticky = _STICKY if "t" in change.letters and not change.only_others else 0
    return change.who | sticky
