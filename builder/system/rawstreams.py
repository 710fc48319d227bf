"""Raw streams of bytes that are made or fetched while they are read."""

from __future__ import annotations

import io
from abc import abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class RawStream(io.RawIOBase):
    """A stream that only goes forward; a kind of it says what comes next."""

    @abstractmethod
    def pull(self, size: int) -> bytes | memoryview:
        """The next bytes, `size` at most; none at the end."""

    def readable(self) -> bool:
        """It is."""
        return True

    # The base class allows every kind of buffer, even those without a length; nobody reads into such a one.
    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Fills `buffer` with what comes next; how many bytes that are. Raises: what `pull` raises."""
        chunk = self.pull(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)


class ChunkStream(RawStream):
    """Chunks of any size, one after the other."""

    def __init__(self, chunks: Iterable[bytes], *, on_close: Callable[[], object] | None = None) -> None:
        """`on_close` ends what makes the chunks."""
        super().__init__()
        self._chunks = iter(chunks)
        self._on_close = on_close
        self._rest = memoryview(b"")

    def pull(self, size: int) -> memoryview:
        """The next bytes."""
        if not self._rest:
            # An empty chunk is no end.
            self._rest = memoryview(next(filter(None, self._chunks), b""))
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def close(self) -> None:
        """Ends what makes the chunks, too."""
        if self._on_close is not None and not self.closed:
            self._on_close()
        super().close()
