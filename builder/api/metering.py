"""How much of an output has been delivered, for those who watch."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from builder.oci.digest import Digest
from exporter.outputs import describe_output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from builder.oci.descriptor import Descriptor
    from builder.progress.stream import Stream
    from builder.snapshot.entry import Node
    from exporter.outputs import Output

_REPORT: Final = 4 << 20
"""Bytes of files between two reports of progress."""


class Meter:
    """Adds up bytes, and tells now and then how many they are by now."""

    def __init__(self, report: Callable[[int], None]) -> None:
        self.report = report
        self.size = 0
        self._reported = 0

    def blob(self, _blob: Descriptor, size: int) -> None:
        """Counts a part of a blob."""
        self.size += size
        self.report(self.size)

    def counted(self, nodes: Iterable[Node]) -> Iterator[Node]:
        """Counts the files among `nodes` as they pass."""
        for node in nodes:
            yield node
            self.size += node.entry.size if node.entry.kind == "file" else 0
            if self.size - self._reported >= _REPORT:
                self._reported = self.size
                self.report(self.size)


class Watch:
    """Shows each output as a vertex of its own, in parts."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    @contextmanager
    def exporting(self, output: Output, kind: str) -> Iterator[Digest]:
        """An output in the making; gives its vertex."""
        digest = vertex_of(output)
        with self._stream.vertex(digest, f"exporting to {kind}"):
            yield digest

    @contextmanager
    def part(self, vertex: Digest, label: str) -> Iterator[Meter]:
        """A part of the making of `vertex`, and what measures it."""
        meter = Meter(lambda size: self._stream.status(vertex, label, current=size))
        self._stream.status(vertex, label)
        yield meter
        self._stream.status(vertex, label, current=meter.size, done=True)


def vertex_of(output: Output) -> Digest:
    """The vertex as which `output` is shown."""
    return Digest.of(f"exporting to {describe_output(output)}".encode())
