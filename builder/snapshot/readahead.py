"""Chunks made ahead of whoever uses them, so that a core decompresses while another one writes files."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

_DEPTH: Final = 4


class ReadAhead:
    """`chunks`, of which the next few are made on a thread; use in a `with` block, which ends the thread.

    What `chunks` raises is raised here, in its turn. Nothing is taken from it before the first chunk is asked for.
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._ready: SimpleQueue[bytes | BaseException | None] = SimpleQueue()
        self._room = threading.Semaphore(_DEPTH)
        self._stopped = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped = True
        self._room.release()
        if self._thread is not None:
            self._thread.join()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if self._thread is None:
            self._thread = threading.Thread(target=self._make, name="dockyard-read-ahead", daemon=True)
            self._thread.start()
        item = self._ready.get()
        self._room.release()
        if isinstance(item, bytes):
            return item
        # Whoever asks once more gets the same answer.
        self._ready.put(item)
        if item is None:
            raise StopIteration
        raise item

    def _make(self) -> None:
        try:
            for chunk in self._chunks:
                self._ready.put(chunk)
                self._room.acquire()
                if self._stopped:
                    return
        except BaseException as error:  # noqa: BLE001 -- it is raised where the chunk is missed.
            self._ready.put(error)
        else:
            self._ready.put(None)
