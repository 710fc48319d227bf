"""Blobs read back as tar bytes, without trusting them.

Decompression is bounded: no input makes more than a few megabytes at a time, and a limit on the whole may be
given. A stream that is damaged, cut off or followed by other bytes is an error here, not a shorter layer. The
diff ID covers everything up to the end of the stream, also what stands behind the archive.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO, Final, Self

from builder.oci.digest import CHUNK, DiffID, Digest
from builder.snapshot.errors import InvalidLayer
from builder.snapshot.readahead import ReadAhead
from builder.system.rawstreams import ChunkStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.oci.mediatypes import Compression

# zstd can make 128 KiB of four bytes, and its reader puts out all that its input makes.
_ZSTD_PIECE: Final = 1 << 10
_ZSTD_MAX_WINDOW: Final = 1 << 27
_GZIP: Final = 31
_GZIP_INPUT: Final = 1 << 16
_WORTHWHILE: Final = 256 << 10


class LayerReader:
    """The tar bytes of a blob, hashed as they are read. The caller closes the blob."""

    def __init__(self, hashed: Hashed, chunks: Iterator[bytes] | None = None) -> None:
        """`chunks` are those of `hashed`, on whatever way they come here."""
        self._hashed = hashed
        # The buffered reader is what makes many reads of 512 bytes cheap.
        self._buffered = io.BufferedReader(ChunkStream(hashed if chunks is None else chunks), CHUNK)
        self.read = self._buffered.read

    @property
    def size(self) -> int:
        """Bytes decompressed so far."""
        return self._hashed.size

    def finish(self) -> DiffID:
        """Reads what is left and names the whole. Raises: InvalidLayer, OSError."""
        while self.read(CHUNK):
            pass
        return DiffID(Digest("sha256:" + self._hashed.sha256.hexdigest()))


def open_layer(blob: BinaryIO, compression: Compression, *, limit: int | None = None) -> LayerReader:
    """The tar bytes of `blob`; `limit` is the largest number of them that is still believed.

    Raises, while it is read: InvalidLayer for a stream that is damaged, cut off or longer than `limit`.
    """
    return LayerReader(Hashed(_chunks(blob, compression), limit))


@contextmanager
def open_layer_ahead(blob: BinaryIO, compression: Compression) -> Iterator[LayerReader]:
    """As `open_layer`, for who writes files meanwhile: a thread decompresses and hashes a few megabytes ahead."""
    hashed = Hashed(_gathered(_chunks(blob, compression)))
    with ReadAhead(hashed) as chunks:
        yield LayerReader(hashed, chunks)


class Hashed:
    """Chunks, counted and hashed as they pass; more than `limit` bytes are an error."""

    def __init__(self, chunks: Iterator[bytes], limit: int | None = None) -> None:
        self._chunks = chunks
        self._limit = limit
        self.size = 0
        self.sha256 = sha256()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        self.size += len(chunk)
        if self._limit is not None and self.size > self._limit:
            raise InvalidLayer(f"the layer is larger than the {self._limit} bytes that it may have")
        self.sha256.update(chunk)
        return chunk


def _chunks(blob: BinaryIO, compression: Compression) -> Iterator[bytes]:
    if compression == "gzip":
        return _gunzip(blob)
    return _unzstd(blob) if compression == "zstd" else _plain(blob)


def _gathered(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Chunks that are worth being handed from thread to thread."""
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size >= _WORTHWHILE:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _plain(blob: BinaryIO) -> Iterator[bytes]:
    while chunk := blob.read(CHUNK):
        yield chunk


def _gunzip(blob: BinaryIO) -> Iterator[bytes]:
    """All members of a gzip stream; zeros may follow the last."""
    from isal import isal_zlib

    rest = blob.read(_GZIP_INPUT)
    while True:
        member = isal_zlib.decompressobj(wbits=_GZIP)
        more = False
        while not member.eof:
            # A full chunk may have left output behind that needs no further input.
            rest = rest or (b"" if more else blob.read(_GZIP_INPUT))
            if not rest and not more:
                raise InvalidLayer("the gzip stream of the layer is cut off")
            try:
                chunk = member.decompress(rest, CHUNK)
            # The stubs declare the class as if it were one of its instances.
            except isal_zlib.IsalError as error:  # type: ignore[misc]  # its stubs call it an instance
                raise InvalidLayer(f"the gzip stream of the layer is damaged: {error}") from error
            rest, more = member.unconsumed_tail, len(chunk) == CHUNK
            yield chunk
        rest = member.unused_data.lstrip(b"\0")
        while not rest:
            padding = blob.read(_GZIP_INPUT)
            if not padding:
                return
            rest = padding.lstrip(b"\0")


def _unzstd(blob: BinaryIO) -> Iterator[bytes]:
    """All frames of a zstd stream; skippable ones, which carry no content, make none."""
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_MAX_WINDOW)
    frame = None
    seen = False
    while chunk := blob.read(CHUNK):
        seen = True
        pieces = [chunk[start : start + _ZSTD_PIECE] for start in range(0, len(chunk), _ZSTD_PIECE)]
        for piece in pieces:
            rest = piece
            while rest:
                frame = frame or decompressor.decompressobj()
                try:
                    yield frame.decompress(rest)
                except zstandard.ZstdError as error:
                    raise InvalidLayer(f"the zstd stream of the layer is damaged: {error}") from error
                rest = b""
                if frame.eof:
                    rest, frame = frame.unused_data, None
    if frame is not None or not seen:
        raise InvalidLayer("the zstd stream of the layer is cut off")
