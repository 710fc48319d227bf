"""A build that tells its story at times that the test chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.oci.digest import Digest
from builder.progress.stream import Stream

if TYPE_CHECKING:
    from builder.progress.events import Event


def digest(number: int) -> Digest:
    return Digest.of(str(number).encode())


class Recorder:
    """A stream with a clock that the test turns, and what came out of it."""

    def __init__(self, log_limit: int = 1 << 20) -> None:
        self.now = 100.0
        self.events: list[Event] = []
        self.stream = Stream(self.events.append, clock=lambda: self.now, log_limit=log_limit)

    def wait(self, seconds: float) -> Recorder:
        self.now += seconds
        return self
