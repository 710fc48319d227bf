"""What a store is, whoever keeps it: the embedded one today, a containerd daemon as well.

Terms are containerd's. Content is blobs by digest, with labels. An image is a name for a blob, the root of its
graph. A lease keeps what its owner writes or uses from the garbage collector until it ends; after that only
what an image reaches, through the labels `containerd.io/gc.ref.*`, stays.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol, Self

import msgspec

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager
    from types import TracebackType

    from builder.store.tables import Labels

_NAMELESS: Final = r"(?:moby-dangling@)?sha256:[a-f0-9]{64}"


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a store can hold. `name` is that of its driver, as error messages spell it."""

    name: str
    multi_platform: bool
    attestations: bool


class Blob(msgspec.Struct, frozen=True, kw_only=True):
    """A committed blob. Times in seconds since the epoch."""

    digest: Digest
    size: int
    labels: dict[str, str]
    created_at: float
    updated_at: float


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """A name for the root of an image's graph. Times in seconds since the epoch."""

    name: str
    target: Descriptor
    labels: dict[str, str]
    created_at: float
    updated_at: float

    @property
    def is_nameless(self) -> bool:
        """Whether the name only says the digest: engines, and Docker at a daemon, keep images without a name so."""
        return re.fullmatch(_NAMELESS, self.name) is not None


class DocumentReader(Protocol):
    """Reads manifests, indexes and configs, wherever an image's blobs are."""

    def read(self, descriptor: Descriptor) -> bytes:
        """All bytes of a small blob, verified.

        Raises: BlobNotFound; DigestMismatch; InvalidDocument for one that is too large for a document.
        """
        ...


class BlobReader(DocumentReader, Protocol):
    """Reads committed blobs. A blob still being ingested is invisible here."""

    def open(self, digest: Digest) -> BinaryIO:
        """The blob, unbuffered; the caller closes. Raises: BlobNotFound."""
        ...


class ContentReader(BlobReader, Protocol):
    """The blobs of one namespace."""

    def open_verified(self, descriptor: Descriptor) -> BinaryIO:
        """Like `open`, but hashed while it is read; the caller closes.

        The last `read` raises DigestMismatch if the bytes were wrong, and the blob is not kept then.
        """
        ...

    def find(self, digest: Digest) -> Blob | None:
        """What is known of the blob; None when it is not here."""
        ...

    def update_labels(self, digest: Digest, labels: Labels) -> None:
        """Sets these labels and keeps the others; an empty value removes one. Raises: BlobNotFound."""
        ...

    def delete(self, digest: Digest) -> bool:
        """Forgets the blob; False when it was not here. Its file goes with the next collection."""
        ...

    def walk(self) -> Iterable[Blob]:
        """All blobs, by digest."""
        ...


class Sink(Protocol):
    """A blob that is being written."""

    def write(self, chunk: bytes | memoryview, /) -> int:
        """Takes all of `chunk`. Raises: StoreError, for example when the disk is full."""
        ...

    def commit(
        self, *, expected: Digest | None = None, size: int | None = None, labels: Labels | None = None
    ) -> Digest:
        """Checks size and digest and makes the blob visible, on disk for good, under the lease.

        Raises: DigestMismatch, and nothing is kept.
        """
        ...


class ContentWriter(ContentReader, Protocol):
    """The blobs of one namespace, as the owner of a lease sees them: what it touches is kept for it."""

    def has(self, digest: Digest) -> bool:
        """Whether the blob is here, in any namespace; if so, it is in this one and under the lease now."""
        ...

    def ingest(self, ref: str) -> AbstractContextManager[Sink]:
        """A new blob. Leaving the block without commit leaves nothing. `ref` is for messages."""
        ...

    def put(self, content: bytes, *, labels: Labels | None = None) -> Digest:
        """Makes `content` a blob; costs next to nothing when it is one already."""
        ...

    def batch(self) -> AbstractContextManager[Batch]:
        """Several blobs that become visible together. Raises nothing that `ingest` and `put` do not."""
        ...


class Batch(Protocol):
    """Blobs that become visible when the block ends; none of them if it raises."""

    def has(self, digest: Digest) -> bool:
        """Whether the blob is in the store, and then under the lease, or in the batch."""
        ...

    def ingest(self, ref: str) -> AbstractContextManager[Sink]:
        """A blob of the batch; its `commit` checks it, but does not show it yet."""
        ...

    def put(self, content: bytes, *, labels: Labels | None = None) -> Digest:
        """A small blob of the batch."""
        ...


class ImageStore(Protocol):
    """The names of one namespace. Names are full: `docker.io/library/busybox:latest`."""

    def find(self, name: str) -> Image | None:
        """The image of that name; None when there is none."""
        ...

    def get(self, name: str) -> Image:
        """The image of that name. Raises: ImageNotFound."""
        ...

    def all(self) -> tuple[Image, ...]:
        """Every image, by name."""
        ...

    def set(self, name: str, target: Descriptor, *, labels: Labels | None = None) -> Image:
        """Gives `target` the name, taking it from whoever had it.

        Raises: BlobNotFound when the target is not in the store; DriverError when the store cannot hold it.
        """
        ...

    def delete(self, name: str) -> bool:
        """Takes the name away; False when there was none. Blobs stay until the next collection."""
        ...


class Lease(Protocol):
    """Keeps things from the garbage collector while its owner lives, and no longer."""

    @property
    def id(self) -> str:
        """Names the lease."""
        ...

    @property
    def content(self) -> ContentWriter:
        """The store's content, with what is written or found there kept."""
        ...

    def keep_snapshots(self, names: Iterable[str]) -> None:
        """Keeps these committed snapshots, too."""
        ...


class Store(Protocol):
    """One namespace of an image store. Close it, or use it in a `with` block."""

    @property
    def capabilities(self) -> Capabilities:
        """What the store can hold."""
        ...

    @property
    def identity(self) -> str:
        """Equal for two handles of the same store, and for those only."""
        ...

    @property
    def content(self) -> ContentReader:
        """Its blobs."""
        ...

    @property
    def images(self) -> ImageStore:
        """Its names."""
        ...

    def lease(self, labels: Labels | None = None) -> AbstractContextManager[Lease]:
        """A lease for the length of a `with` block; dies with this process, however it dies."""
        ...

    def close(self) -> None:
        """Gives back what the store holds open."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
