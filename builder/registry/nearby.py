"""An image of which some blobs are here and the others still at a registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable

    from builder.oci.descriptor import Descriptor
    from builder.oci.digest import Digest
    from builder.store.protocol import BlobReader, ContentWriter


class NearbyFirst:
    """Reads from the store what is there, and the rest from far away (`builder.store.protocol.BlobReader`)."""

    def __init__(self, content: ContentWriter, far: Callable[[], BlobReader]) -> None:
        """What is read from `content` is under its lease from then on; `far` is called when it is needed."""
        self._content = content
        self._far = far

    def read(self, descriptor: Descriptor) -> bytes:
        """All bytes of a document, verified. Raises: BlobNotFound, DigestMismatch, InvalidDocument."""
        return self._reader(descriptor.digest).read(descriptor)

    def open(self, digest: Digest) -> BinaryIO:
        """The blob; the caller closes. Raises: BlobNotFound."""
        return self._reader(digest).open(digest)

    def _reader(self, digest: Digest) -> BlobReader:
        return self._content if self._content.has(digest) else self._far()
