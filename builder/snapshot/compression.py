"""From tar bytes to a blob in one pass: diff ID, compression, sink.

The caller's thread hashes and writes; compression runs on a few threads of its own, block by block, so that two
cores are busy and memory stays at a few blocks. The bytes depend on the content, format and level alone, never
on the number of threads or the sizes of the writes.
"""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol, Self

import msgspec

from builder.oci.digest import CHUNK, DiffID, Digest
from builder.snapshot import gzipstream
from builder.system.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from builder.oci.mediatypes import Compression
    from builder.snapshot.pieces import Pieces

_MAX_THREADS: Final = 4
_ZSTD_LEVELS: Final = range(23)
_DRAINED: Final = 2 * CHUNK
# What is compressed at once, in bytes.
_ZSTD_JOB: Final = 1 << 21
_ZSTD_DEFAULT: Final = 3
# The window is that of BuildKit's encoder: a file tree repeats itself over longer ways than the two MiB of
# libzstd's own choice. With tables to match, layers are 0.2 to 3.9% smaller than BuildKit's, without up to 8%
# larger; the price is a third of the speed, and 15 MB for each thread. A piece knows half a window of what is in
# front of it: all of it would save another percent for 30 MB more.
_ZSTD_WIDE: Final = {"window_log": 23, "hash_log": 18, "chain_log": 18, "overlap_log": 8}


class WrittenLayer(msgspec.Struct, frozen=True, kw_only=True):
    """A finished blob. `size` is that of the blob, `uncompressed_size` of the tar, in bytes.

    The sink names it: a content store digests what it is given anyway, and a core digests 1.5 GB a second.
    """

    diff_id: DiffID
    size: int
    uncompressed_size: int


class BlobSink(Protocol):
    """Where a blob goes: a file, or an ingest of the content store."""

    def write(self, chunk: memoryview, /) -> int:
        """Takes a part of `chunk`, at least one byte; returns how many."""
        ...


class Encoder(Protocol):
    """One compression of one stream."""

    def cut(self, held: bytes, start: int, /) -> int:
        """Where the block ends that begins at `start` of `held`: at most CHUNK bytes on, and as many are there."""
        ...

    def encode(self, block: bytes) -> Iterator[bytes]:
        """Takes `block`; gives what is ready, of this block or earlier ones."""
        ...

    def finish(self, rest: bytes) -> Iterator[bytes]:
        """The end of the stream, with `rest`, which is shorter than CHUNK."""
        ...

    def close(self) -> None:
        """Ends the threads, whether or not the stream was finished."""
        ...


class LayerWriter:
    """Turns the bytes written to it into a compressed blob in `sink`; use in a `with` block.

    Errors of any stage come out of `write` or `finish`; leaving the block ends all threads.
    """

    def __init__(
        self,
        sink: BlobSink,
        compression: Compression,
        level: int | None = None,
        *,
        threads: int | None = None,
        known: Pieces | None = None,
    ) -> None:
        """`level` None is the default; `threads` None is one for each core that this process may use.

        What `known` has of the blob already is not compressed again.

        Raises: UsageError for a level that the compression does not have.
        """
        count = threads or min(len(os.sched_getaffinity(0)), _MAX_THREADS)
        self._sink = sink
        self._encoder = _encoder(compression, level, count, known)
        self._held: list[bytes] = []
        self._held_size = 0
        self._diff = sha256()
        self._size = 0
        self._uncompressed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._encoder.close()

    def write(self, chunk: bytes, /) -> int:
        """Takes all of `chunk`. Raises: OSError of the sink."""
        self._held.append(chunk)
        self._held_size += len(chunk)
        if self._held_size >= _DRAINED:
            self._drain()
        return len(chunk)

    def finish(self) -> WrittenLayer:
        """Writes the rest; the sink stays open. Raises: OSError of the sink."""
        self._drain()
        rest = b"".join(self._held)
        self._held.clear()
        self._count(rest)
        for encoded in self._encoder.finish(rest):
            self._emit(encoded)
        return WrittenLayer(
            diff_id=DiffID(Digest("sha256:" + self._diff.hexdigest())),
            size=self._size,
            uncompressed_size=self._uncompressed,
        )

    def _drain(self) -> None:
        """Takes blocks as long as there is enough behind them to know where they end."""
        held = b"".join(self._held)
        start = 0
        while len(held) - start >= CHUNK:
            end = self._encoder.cut(held, start)
            block = held[start:end]
            self._count(block)
            for encoded in self._encoder.encode(block):
                self._emit(encoded)
            start = end
        self._held = [held[start:]]
        self._held_size -= start

    def _count(self, block: bytes) -> None:
        self._diff.update(block)
        self._uncompressed += len(block)

    def _emit(self, encoded: bytes) -> None:
        self._size += len(encoded)
        # An unbuffered sink may take less than it is given.
        rest = memoryview(encoded)
        while rest:
            rest = rest[self._sink.write(rest) :]


def _encoder(compression: Compression, level: int | None, threads: int, known: Pieces | None) -> Encoder:
    if compression == "gzip":
        _check_level(compression, level, gzipstream.LEVELS)
        return gzipstream.Gzip(level, threads, known)
    if compression == "zstd":
        _check_level(compression, level, _ZSTD_LEVELS)
        return _Zstd(_ZSTD_DEFAULT if level is None else level, threads)
    if level is not None:
        raise UsageError("an uncompressed layer has no compression level")
    return _Plain()


def _check_level(compression: Compression, level: int | None, levels: range) -> None:
    if level is not None and level not in levels:
        raise UsageError(
            f"{compression} has no compression level {level}",
            hint=f"levels go from {levels[0]} (fastest) to {levels[-1]} (smallest)",
        )


class _Plain:
    """No compression."""

    def cut(self, _held: bytes, start: int, /) -> int:
        return start + CHUNK

    def encode(self, block: bytes) -> Iterator[bytes]:
        yield block

    def finish(self, rest: bytes) -> Iterator[bytes]:
        yield rest

    def close(self) -> None:
        """Nothing was taken."""


class _Zstd:
    """zstd with a checksum-free frame; libzstd's own threads cut the stream at fixed sizes."""

    def __init__(self, level: int, threads: int) -> None:
        import zstandard

        # Without threads libzstd makes other bytes; with any number above zero, always the same.
        speed = _zstd_speed(level)
        wide = _ZSTD_WIDE if speed == _ZSTD_DEFAULT else {}
        parameters = zstandard.ZstdCompressionParameters.from_level(
            speed, threads=threads, job_size=_ZSTD_JOB, write_content_size=False, **wide
        )
        self._stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()

    def cut(self, _held: bytes, start: int, /) -> int:
        return start + CHUNK

    def encode(self, block: bytes) -> Iterator[bytes]:
        yield self._stream.compress(block)

    def finish(self, rest: bytes) -> Iterator[bytes]:
        yield self._stream.compress(rest) + self._stream.flush()

    def close(self) -> None:
        """The threads end with the stream, which nobody else holds."""


def _zstd_speed(level: int) -> int:
    """One of four speeds, as in BuildKit; the slowest still has a window of a few MiB."""
    if level < 3:
        return 1
    if level < 6:
        return 3
    return 7 if level < 10 else 11
