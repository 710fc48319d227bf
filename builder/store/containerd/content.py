"""The blobs of a daemon's namespace, to look at and to read (`builder.store.protocol.ContentReader`).

A blob whose digest dockyard cannot verify (containerd takes sha512, too) is not there for us.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO, cast

from builder.oci.digest import CHUNK, Digest, InvalidDigest
from builder.store.containerd import methods
from builder.store.containerd.errors import NotFound
from builder.store.errors import BlobNotFound
from builder.store.protocol import Blob
from builder.store.streams import VerifiedStream, read_verified
from builder.system.rawstreams import ChunkStream

if TYPE_CHECKING:
    from builder.oci.descriptor import Descriptor
    from builder.store.containerd.connection import Connection
    from builder.store.containerd.methods import BlobFields, Time
    from builder.store.tables import Labels


class ContainerdContent:
    """The blobs of one namespace. Safe to share between threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, digest: Digest, *, namespace: str | None = None) -> Blob | None:
        """What is known of the blob; None when it is not here. `namespace` None is the connection's."""
        try:
            answer = self._connection.call(methods.CONTENT_INFO, digest=digest, namespace=namespace)
        except NotFound:
            return None
        return _blob(answer.info)

    def walk(self) -> list[Blob]:
        """All blobs, by digest."""
        found = [
            blob
            for answer in self._connection.stream(methods.CONTENT_LIST)
            for fields in answer.info
            if (blob := _blob(fields)) is not None
        ]
        return sorted(found, key=lambda blob: blob.digest)

    def open(self, digest: Digest) -> BinaryIO:
        """The blob, as it comes from the daemon; the caller closes. Raises: BlobNotFound."""
        if self.find(digest) is None:
            raise BlobNotFound(f"blob {digest} is not in the store")
        chunks = self._connection.stream(methods.CONTENT_READ, digest=digest)
        return cast("BinaryIO", ChunkStream((each.data for each in chunks), on_close=chunks.close))

    def open_verified(self, descriptor: Descriptor) -> BinaryIO:
        """The blob, hashed while it is read; the caller closes.

        The last `read` raises DigestMismatch if the bytes were wrong, and the blob is removed.
        Raises: BlobNotFound.
        """
        digest = descriptor.digest
        verified = VerifiedStream(self.open(digest), digest, on_mismatch=lambda: self._forget(digest))
        return io.BufferedReader(verified, CHUNK)

    def read(self, descriptor: Descriptor) -> bytes:
        """All bytes of a document, verified.

        Raises: BlobNotFound; DigestMismatch, and the blob is removed; InvalidDocument when it is too large.
        """
        with self.open(descriptor.digest) as stream:
            return read_verified(stream, descriptor, remove=lambda: self._forget(descriptor.digest))

    def update_labels(self, digest: Digest, labels: Labels) -> None:
        """Sets these labels and keeps the others; an empty value removes one. Raises: BlobNotFound."""
        blob = self.find(digest)
        if blob is None:
            raise BlobNotFound(f"blob {digest} is not in the store")
        changed = {key: value for key, value in labels.items() if blob.labels.get(key, "") != value}
        if not changed:
            return
        try:
            self._connection.call(
                methods.CONTENT_UPDATE,
                info={"digest": digest, "labels": changed},
                update_mask={"paths": [f"labels.{key}" for key in changed]},
            )
        except NotFound as error:
            raise BlobNotFound(f"blob {digest} is not in the store") from error

    def delete(self, digest: Digest) -> bool:
        """Forgets the blob; False when it was not here. Its file goes with the daemon's next collection."""
        try:
            self._connection.call(methods.CONTENT_DELETE, digest=digest)
        except NotFound:
            return False
        return True

    def _forget(self, digest: Digest) -> None:
        """Removes a blob whose bytes are wrong, so that it can come again."""
        self.delete(digest)


def seconds(time: Time) -> float:
    """The daemon's time as seconds since the epoch."""
    return time.seconds + time.nanos / 1e9


def _blob(fields: BlobFields) -> Blob | None:
    try:
        digest = Digest.parse(fields.digest)
    except InvalidDigest:
        return None
    return Blob(
        digest=digest,
        size=fields.size,
        labels=dict(fields.labels),
        created_at=seconds(fields.created_at),
        updated_at=seconds(fields.updated_at),
    )
