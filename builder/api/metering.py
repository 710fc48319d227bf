"""How much of an output has been delivered, for those who watch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from builder.oci.descriptor import Descriptor
    from builder.snapshot.entry import Node

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
