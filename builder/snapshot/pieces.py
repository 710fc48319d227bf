"""The pieces of compressed layers that are in the content store, found again by what they were made of.

A layer of which one file changed shares nearly all of its pieces with the layer before, and to find them costs a
tenth of making them. Whether a piece is found never changes a layer's bytes: its key names all that the
compressor was given, except the block itself, which whoever asks compares with what the piece makes.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack, suppress
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO, Final, Self

from builder.snapshot.layerdb import Piece
from builder.store.errors import BlobNotFound, DigestMismatch

if TYPE_CHECKING:
    from types import TracebackType

    from builder.oci.digest import Digest
    from builder.snapshot.layerdb import LayerID, LayerTable
    from builder.store.protocol import BlobReader

# One more whenever the same block gives other bytes, besides the versions of the libraries.
_RULES: Final = b"3"


class Pieces:
    """The pieces known while one layer is written; use in a `with` block. Safe to share between threads."""

    def __init__(self, table: LayerTable, content: BlobReader) -> None:
        from deflate import __version__ as deflate_version
        from isal import ISAL_VERSION

        self._table = table
        self._content = content
        self._maker = b"%b %b %b" % (_RULES, deflate_version.encode(), ISAL_VERSION.encode())
        self._noted: list[Piece] = []
        self._open: dict[Digest, BinaryIO | None] = {}
        self._stack = ExitStack()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def key(self, level: bytes, *, crc: int, length: int) -> bytes:
        """Names the block with this CRC-32 and length, as this compressor makes it."""
        return sha256(b"%b %b %d %d" % (self._maker, level, crc, length)).digest()

    def find(self, key: bytes) -> bytes | None:
        """What stands where a piece was written; None when it is not known, or its blob is gone.

        Raises: OSError.
        """
        found = self._table.find_piece(key)
        if found is None:
            return None
        digest, piece = found
        with self._lock:
            if digest not in self._open:
                self._open[digest] = self._opened(digest)
            blob = self._open[digest]
            if blob is None:
                return None
            blob.seek(piece.offset)
            return blob.read(piece.size)

    def note(self, key: bytes, *, offset: int, size: int) -> None:
        """Remembers where a piece was put, until `save`."""
        self._noted.append(Piece(key, offset, size))

    def save(self, layer: LayerID, blob: Digest) -> None:
        """Makes what was noted known to later layers, as pieces of `blob`, which holds `layer`."""
        if self._noted:
            self._table.save_pieces(layer, blob, self._noted)

    def _opened(self, digest: Digest) -> BinaryIO | None:
        with suppress(BlobNotFound, DigestMismatch):
            blob = self._stack.enter_context(self._content.open(digest))
            return blob if blob.seekable() else None
        return None
