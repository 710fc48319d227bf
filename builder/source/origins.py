"""Where the layers of base images are that this machine has no copy of.

A layer that only travels to a registry need not come here: the registry may have it, or take it from the
repository where it is. If neither, it is passed on as it comes.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from builder.store.errors import BlobNotFound
from builder.store.streams import VerifiedStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from builder.oci.descriptor import Descriptor
    from builder.oci.digest import Digest
    from builder.oci.reference import Reference
    from builder.store.protocol import BlobReader


class Origin(NamedTuple):
    """A place that has blobs; `open` gives its reader. `repository` is the registry's, if it is one."""

    open: Callable[[], BlobReader]
    repository: Reference | None = None


class Origins:
    """The blobs of all base images of one build (`BlobReader`). Safe to share between threads."""

    def __init__(self) -> None:
        self._origins: dict[Digest, Origin] = {}
        self._lock = threading.Lock()

    def note(self, blobs: Iterable[Descriptor], origin: Origin) -> None:
        """`origin` has `blobs`; who said so first stays the one that is asked."""
        with self._lock:
            for blob in blobs:
                self._origins.setdefault(blob.digest, origin)

    def read(self, descriptor: Descriptor) -> bytes:
        """All bytes of a document. Raises: BlobNotFound, DigestMismatch, InvalidDocument, DockyardError."""
        return self._reader(descriptor.digest).read(descriptor)

    def open(self, digest: Digest) -> BinaryIO:
        """The blob, checked while it is read; the caller closes.

        The last `read` raises DigestMismatch if the bytes were wrong. Raises: BlobNotFound, DockyardError.
        """
        stream = self._reader(digest).open(digest)
        return cast("BinaryIO", VerifiedStream(stream, digest, on_mismatch=lambda: None))

    def repository(self, digest: Digest) -> Reference | None:
        """The repository at a registry that has the blob."""
        origin = self._origins.get(digest)
        return None if origin is None else origin.repository

    def lenders(self, digest: Digest, target: Reference) -> tuple[str, ...]:
        """Other repositories of the registry of `target` that have the blob."""
        origin = self.repository(digest)
        return (origin.path,) if origin is not None and origin.domain == target.domain else ()

    def _reader(self, digest: Digest) -> BlobReader:
        origin = self._origins.get(digest)
        if origin is None:
            raise BlobNotFound(f"blob {digest} is not in the store, and no base image has it")
        return origin.open()
