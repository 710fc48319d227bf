"""Reading many files, by as many threads as are of use.

The interpreter runs one thread at a time. Threads that take turns at small files which the kernel has in memory
need three times as long as one alone; but a disk answers several questions in the time of one, and large files are
digested without the interpreter. So one thread begins, and others help for as long as that pays.
"""

from __future__ import annotations

import threading
from resource import RUSAGE_THREAD, getrusage
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from builder.snapshot.entry import Node

_MOST: Final = 4
_BATCH_FILES: Final = 32
_BATCH_SIZE: Final = 4 << 20
_LARGE: Final = 64 << 10


def read_all(
    nodes: Sequence[Node], read: Callable[[Node], None], *, blocks_read: Callable[[], int] | None = None
) -> None:
    """Calls `read`, which raises nothing, for each of `nodes`, which are regular files.

    `blocks_read` tells how much this thread has had to fetch from a disk.
    """
    _Readers(nodes, read, blocks_read or _blocks_read).work()


class _Readers:
    def __init__(
        self, nodes: Sequence[Node], read: Callable[[Node], None], blocks_read: Callable[[], int]
    ) -> None:
        self._pending = iter(nodes)
        self._read = read
        self._blocks_read = blocks_read
        self._lock = threading.Lock()
        self._helpers: list[threading.Thread] = []

    def work(self) -> None:
        """Reads until nothing is left and all helpers have ended."""
        while batch := self._take():
            self._read_batch(batch)
        # Who is still at work finds nothing left, and so nobody comes any more.
        while self._helpers:
            self._helpers.pop().join()

    def _help(self) -> None:
        while (batch := self._take()) and self._read_batch(batch):
            pass

    def _read_batch(self, batch: Sequence[Node]) -> bool:
        """Reads all of `batch`; returns whether help is welcome, which is called then."""
        is_large = sum(node.entry.size for node in batch) >= _LARGE * len(batch)
        if is_large:
            self._call_helper()
        blocks = self._blocks_read()
        for node in batch:
            self._read(node)
        if self._blocks_read() != blocks:
            self._call_helper()
            return True
        return is_large

    def _take(self) -> list[Node]:
        """A few files, or one that is large."""
        batch: list[Node] = []
        size = 0
        with self._lock:
            for node in self._pending:
                batch.append(node)
                size += node.entry.size
                if len(batch) == _BATCH_FILES or size >= _BATCH_SIZE:
                    break
        return batch

    def _call_helper(self) -> None:
        with self._lock:
            self._helpers = [each for each in self._helpers if each.is_alive()]
            if len(self._helpers) < _MOST - 1:
                helper = threading.Thread(target=self._help, name="dockyard-digests")
                helper.start()
                self._helpers.append(helper)


def _blocks_read() -> int:
    return getrusage(RUSAGE_THREAD).ru_inblock
