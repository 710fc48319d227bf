"""An image that a store of its own keeps, perhaps without some of its blobs, which are somewhere else then."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable

    from builder.oci.descriptor import Descriptor
    from builder.oci.digest import Digest
    from builder.store.protocol import BlobReader, ContentReader


class KeptFirst:
    """Reads from the store what it has, and the rest elsewhere (`builder.store.protocol.BlobReader`)."""

    def __init__(self, content: ContentReader, elsewhere: Callable[[], BlobReader]) -> None:
        """`elsewhere` is called when the store lacks something."""
        self._content = content
        self._elsewhere = elsewhere

    def read(self, descriptor: Descriptor) -> bytes:
        """All bytes of a document, verified. Raises: BlobNotFound, DigestMismatch, InvalidDocument."""
        return self._reader(descriptor.digest).read(descriptor)

    def open(self, digest: Digest) -> BinaryIO:
        """The blob; the caller closes. Raises: BlobNotFound."""
        return self._reader(digest).open(digest)

    def _reader(self, digest: Digest) -> BlobReader:
        return self._content if self._content.find(digest) is not None else self._elsewhere()
