"""Where the layers of base images are that this machine has no copy of.

A layer that only travels to a registry need not come here: the registry may have it, or take it from the
repository where it is. If neither, it is passed on as it comes, and checked on its way; whoever promised it hears
when it was not what it should be.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, BinaryIO, cast

from builder.store.errors import BlobNotFound, DigestMismatch
from builder.store.streams import VerifiedStream
from builder.system.errors import Cancelled, DockyardError
from builder.system.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from builder.oci.descriptor import Descriptor
    from builder.oci.digest import Digest
    from builder.oci.reference import Reference
    from builder.store.protocol import BlobReader


def _nobody(_error: DockyardError) -> None:
    """Nobody wants to know."""


class Origin(Value, frozen=True):
    """A place that has blobs; `open` gives its reader. `repository` is the registry's, if it is one.

    `failed` hears why a blob could not be had, now or when its bytes were read.
    """

    open: Callable[[], BlobReader]
    repository: Reference | None = None
    failed: Callable[[DockyardError], None] = _nobody


class Origins:
    """The blobs of all base images of one build (`BlobReader`). Safe to share between threads."""

    def __init__(self) -> None:
        self._origins: dict[Digest, tuple[Origin, int]] = {}
        self._lock = threading.Lock()

    def note(self, blobs: Iterable[Descriptor], origin: Origin) -> None:
        """`origin` has `blobs`; who said so first stays the one that is asked."""
        with self._lock:
            for blob in blobs:
                self._origins.setdefault(blob.digest, (origin, blob.size))

    def read(self, descriptor: Descriptor) -> bytes:
        """All bytes of a document. Raises: BlobNotFound, DigestMismatch, InvalidDocument, DockyardError."""
        origin, _ = self._origin(descriptor.digest)
        return origin.open().read(descriptor)

    def open(self, digest: Digest) -> BinaryIO:
        """The blob, checked while it is read; the caller closes.

        The last `read` raises DigestMismatch if the bytes were wrong. Raises: BlobNotFound, DockyardError.
        """
        origin, size = self._origin(digest)
        try:
            stream = origin.open().open(digest)
        except Cancelled:
            raise
        except DockyardError as error:
            origin.failed(error)
            raise
        return cast("BinaryIO", _Promised(stream, digest, size, origin.failed))

    def repository(self, digest: Digest) -> Reference | None:
        """The repository at a registry that has the blob."""
        found = self._origins.get(digest)
        return None if found is None else found[0].repository

    def lenders(self, digest: Digest, target: Reference) -> tuple[str, ...]:
        """Other repositories of the registry of `target` that have the blob."""
        origin = self.repository(digest)
        return (origin.path,) if origin is not None and origin.domain == target.domain else ()

    def _origin(self, digest: Digest) -> tuple[Origin, int]:
        found = self._origins.get(digest)
        if found is None:
            raise BlobNotFound(f"blob {digest} is not in the store, and no base image has it")
        return found


class _Promised(VerifiedStream):
    """A blob on its way, of `size` bytes; `failed` hears why it was not the promised one."""

    def __init__(
        self, stream: BinaryIO, digest: Digest, size: int, failed: Callable[[DockyardError], None]
    ) -> None:
        super().__init__(stream, digest, on_mismatch=lambda: None)
        self._left = size
        self._failed = failed

    def pull(self, size: int) -> bytes:
        """The next bytes. Raises: DigestMismatch for a wrong stream, DockyardError."""
        try:
            chunk = super().pull(size)
            self._left -= len(chunk)
            if self._left < 0:
                raise DigestMismatch("a blob goes on after the bytes of its descriptor")
        except Cancelled:
            raise
        except DockyardError as error:
            self._failed(error)
            raise
        return chunk
