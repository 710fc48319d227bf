"""Ctrl-C and SIGTERM: both ask the command to stop, give back what it holds and say so.

The first arrives as KeyboardInterrupt in the main thread, wherever it waits. Further ones are not let into
the cleaning up, because a signal often comes twice (from the terminal and from a parent); the third ends the
process at once, which leaves nothing behind either.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Final

from builder.cli.report import INTERRUPTED

if TYPE_CHECKING:
    from types import FrameType

_PATIENCE: Final = 3


class Interrupts:
    """Counts signals; use one for the process."""

    def __init__(self) -> None:
        self._count = 0

    def install(self) -> None:
        """Takes over SIGINT and SIGTERM. Only in the main thread."""
        signal.signal(signal.SIGINT, self._handle)
        signal.signal(signal.SIGTERM, self._handle)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self._count += 1
        if self._count >= _PATIENCE:
            os._exit(INTERRUPTED)
        if self._count == 1:
            raise KeyboardInterrupt
