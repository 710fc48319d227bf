"""Following a step from above: its output as it comes, its outcome, and the wish to stop it.

One loop in the thread that asked for the step; nothing is read ahead, so a slow reader slows the step instead
of filling memory.
"""

from __future__ import annotations

import os
import selectors
import socket
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, Self

from builder.executor.wire import receive_outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from builder.executor.wire import Outcome

STANDARD_OUTPUT: Final = 1
STANDARD_ERROR: Final = 2

_CHUNK: Final = 64 << 10
# How long a wish to stop may go unseen; it is an event in memory, which no selector can wait for.
_GLANCE_SECONDS: Final = 0.05


class Cancellation(Protocol):
    """Somebody's wish that the work should stop, as `threading.Event` carries it."""

    def is_set(self) -> bool:
        """Whether to stop."""


class Ending(NamedTuple):
    """How a step ended; `outcome` None: the supervisor went away. `cancelled`: it was killed on request."""

    outcome: Outcome | None
    cancelled: bool


class Pipes:
    """The standard streams of a step that nobody types at: no input, and a pipe for each output."""

    def __init__(self) -> None:
        # At its end at once. Not the null device: runtimes give standard streams to the container's user, and
        # that device is the host's.
        nothing, nobody = os.pipe()
        os.close(nobody)
        out, out_writer = os.pipe()
        error, error_writer = os.pipe()
        self.streams = (nothing, out_writer, error_writer)
        self.readers: Mapping[int, int] = {out: STANDARD_OUTPUT, error: STANDARD_ERROR}
        self._given_away = False

    def give_away(self) -> None:
        """Closes this side's copies of what the step has, so that its end can be seen."""
        if not self._given_away:
            self._given_away = True
            for descriptor in self.streams:
                os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give_away()
        for descriptor in self.readers:
            os.close(descriptor)


def follow(
    channel: socket.socket,
    readers: Mapping[int, int],
    *,
    on_output: Callable[[int, bytes], None],
    cancelled: Cancellation,
) -> Ending:
    """Waits for the step behind `channel`; when this returns or raises, no process of it is left.

    `readers` are the ends of its output pipes with the numbers that `on_output` is told.
    """
    outcome: Outcome | None = None
    hung_up = False
    ended = False
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(channel, selectors.EVENT_READ)
            for descriptor in readers:
                selector.register(descriptor, selectors.EVENT_READ)
            while selector.get_map():
                if not hung_up and not ended and cancelled.is_set():
                    hang_up(channel)
                    hung_up = True
                for key, _ in selector.select(_GLANCE_SECONDS):
                    if key.fileobj is channel:
                        outcome = receive_outcome(channel)
                        ended = True
                        selector.unregister(channel)
                    elif chunk := os.read(key.fd, _CHUNK):
                        on_output(readers[key.fd], chunk)
                    else:
                        selector.unregister(key.fd)
    finally:
        if not ended:
            hang_up(channel)
            receive_outcome(channel)
    return Ending(outcome, hung_up)


def hang_up(channel: socket.socket) -> None:
    """Asks for the step to be killed; its outcome can still be received."""
    try:
        channel.shutdown(socket.SHUT_WR)
    except OSError:
        # The other side has gone, and the step with it.
        return
