"""The caller's own standard streams for a container, without handing over the caller's files.

A program that holds a descriptor of a file can open it again for writing, and runtimes give standard streams
to the container's user. So whatever is not a terminal is copied through pipes.
"""

from __future__ import annotations

import os
import select
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final, Self

from builder.executor.output import STANDARD_ERROR, STANDARD_OUTPUT

if TYPE_CHECKING:
    from types import TracebackType

_CHUNK: Final = 64 << 10


class Attachment:
    """Streams for a container that stand for `own`, the caller's input, output and error; use it with `with`.

    `streams` are for the container; `readers` are the pipes whose content belongs to the caller's streams.
    """

    def __init__(self, own: tuple[int, int, int]) -> None:
        source, *sinks = own
        self.readers: dict[int, int] = {}
        self._given: list[int] = []
        self._stack = ExitStack()
        streams = [source if os.isatty(source) else self._copied_input(source)]
        for number, sink in zip((STANDARD_OUTPUT, STANDARD_ERROR), sinks, strict=True):
            streams.append(sink if os.isatty(sink) else self._copied_output(number))
        self.streams = tuple(streams)
        self._sinks = {STANDARD_OUTPUT: sinks[0], STANDARD_ERROR: sinks[1]}

    def give_away(self) -> None:
        """Closes this side's copies of what the container has, so that its end can be seen."""
        while self._given:
            os.close(self._given.pop())

    def write(self, stream: int, chunk: bytes) -> None:
        """Passes on what came through a pipe."""
        write_all(self._sinks[stream], chunk)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give_away()
        self._stack.close()

    def _copied_output(self, number: int) -> int:
        reader, writer = os.pipe()
        self._stack.callback(os.close, reader)
        self.readers[reader] = number
        self._given.append(writer)
        return writer

    def _copied_input(self, source: int) -> int:
        reader, writer = os.pipe()
        stopped, stop = os.pipe()
        pump = threading.Thread(target=_pump, args=(source, writer, stopped), name="container input")
        pump.start()
        self._stack.callback(os.close, stopped)
        self._stack.callback(pump.join)
        self._stack.callback(os.close, stop)
        self._given.append(reader)
        return reader


def write_all(descriptor: int, chunk: bytes) -> None:
    """Writes all of `chunk`, however often that takes."""
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _pump(source: int, writer: int, stopped: int) -> None:
    """Copies `source` until it ends, nobody reads any more, or `stopped` is hung up."""
    os.set_blocking(writer, False)
    # A program that does not read its input is no error.
    with suppress(BrokenPipeError):
        while _wait(stopped, source, select.POLLIN) and (chunk := os.read(source, _CHUNK)):
            rest = memoryview(chunk)
            while rest and _wait(stopped, writer, select.POLLOUT):
                rest = rest[os.write(writer, rest) :]
    os.close(writer)


def _wait(stopped: int, descriptor: int, event: int) -> bool:
    """Waits until `descriptor` is ready; False when it is time to stop."""
    poll = select.poll()
    poll.register(stopped, select.POLLIN)
    poll.register(descriptor, event)
    return all(ready != stopped for ready, _ in poll.poll())
