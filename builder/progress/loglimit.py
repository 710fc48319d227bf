"""How much output of one step is kept: a loop that prints for ever must not fill a disk or a terminal.

The beginning is passed on as it comes. Once the limit is reached only the last part is remembered, and shown
if the step fails, because that is where the reason stands.
"""

from __future__ import annotations

from typing import Final

from builder.progress.units import format_binary

DEFAULT_LIMIT: Final = 2 << 20
"""Bytes of output a vertex, as BuildKit has it."""
_TAIL: Final = 64 << 10


class LogLimit:
    """Counts the output of one vertex; passes `limit` bytes and keeps the last 64 KiB of the rest."""

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._limit = limit
        self._left = limit
        self._clipped = False
        self._tail = bytearray()

    def feed(self, data: bytes) -> bytes:
        """The part of `data` that is to be shown, with a notice where output is clipped."""
        passed, rest = data[: self._left], data[self._left :]
        self._left -= len(passed)
        if not rest:
            return passed
        self._tail += rest
        del self._tail[:-_TAIL]
        if self._clipped:
            return passed
        self._clipped = True
        return passed + f"\n[output clipped, log limit {format_binary(self._limit)} reached]\n".encode()

    def held_back(self) -> bytes:
        """The end of what was not shown, from the beginning of a line where there is one."""
        if len(self._tail) < _TAIL:
            return bytes(self._tail)
        return bytes(self._tail[self._tail.find(b"\n") + 1 :])
