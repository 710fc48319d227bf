"""Reading blobs without trusting them: never more bytes than promised, never other bytes than promised."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, BinaryIO

from builder.oci.digest import Digest
from builder.oci.manifest import MAX_DOCUMENT, InvalidDocument
from builder.store.errors import DigestMismatch
from builder.system.rawstreams import RawStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from builder.oci.descriptor import Descriptor


class VerifiedStream(RawStream):
    """Passes a stream on and raises DigestMismatch at its end if it was not the promised one."""

    def __init__(self, stream: BinaryIO, digest: Digest, *, on_mismatch: Callable[[], None]) -> None:
        super().__init__()
        self._stream = stream
        self._digest = digest
        self._on_mismatch = on_mismatch
        self._sha256 = hashlib.sha256()

    def pull(self, size: int) -> bytes:
        """The next bytes. Raises: DigestMismatch at the end of a wrong stream."""
        chunk = self._stream.read(size)
        self._sha256.update(chunk)
        if not chunk and self._sha256.hexdigest() != self._digest.hex:
            self._on_mismatch()
            raise DigestMismatch(f"the bytes of blob {self._digest} are not those of its digest")
        return chunk

    def close(self) -> None:
        """Closes the stream below, too."""
        self._stream.close()
        super().close()


def read_document(stream: BinaryIO, descriptor: Descriptor) -> bytes:
    """All of `stream`, the blob that `descriptor` points at, without reading more than a document may have.

    Raises: InvalidDocument when it is too large; DigestMismatch for another size than the descriptor's.
    """
    if descriptor.size > MAX_DOCUMENT:
        raise InvalidDocument(f"{descriptor.digest}: {descriptor.size} bytes is larger than {MAX_DOCUMENT}")
    chunks: list[bytes] = []
    left = descriptor.size + 1
    while left and (chunk := stream.read(left)):
        chunks.append(chunk)
        left -= len(chunk)
    if left != 1:
        raise DigestMismatch(
            f"blob {descriptor.digest} has not the {descriptor.size} bytes of its descriptor"
        )
    return b"".join(chunks)


def read_verified(stream: BinaryIO, descriptor: Descriptor, *, remove: Callable[[], None]) -> bytes:
    """Like `read_document`, with the bytes checked; `remove` takes a blob with other bytes away.

    Raises: DigestMismatch for that, too.
    """
    content = read_document(stream, descriptor)
    if Digest.of(content) != descriptor.digest:
        remove()
        raise DigestMismatch(
            f"the bytes of blob {descriptor.digest} are not those of its digest; it was removed"
        )
    return content
