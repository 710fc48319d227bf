"""Says now and then how far the writing of a layer is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from builder.snapshot.tarwriter import ByteSink

_REPORT: Final = 16 << 20
"""Bytes between two reports of progress."""


class Reporting:
    """Passes bytes on and says now and then how many they were."""

    def __init__(self, sink: ByteSink, progress: Callable[[int], None]) -> None:
        self._sink = sink
        self._progress = progress
        self._written = 0
        self._reported = 0

    def write(self, chunk: bytes, /) -> object:
        """Passes `chunk` on. Raises: what the sink raises."""
        self._written += len(chunk)
        if self._written - self._reported >= _REPORT:
            self._reported = self._written
            self._progress(self._written)
        return self._sink.write(chunk)
