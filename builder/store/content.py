"""The content store: blobs by digest, with labels.

Files are shared by all namespaces of a state root, so two stores never hold a blob twice; what a namespace
knows are rows. Whoever writes does so under a lease, because a blob that nothing keeps may be collected the
moment it is there. Bytes are verified once, when they come in; a file that is not what its row says is
removed when it is noticed, so that the blob can come again.
"""

from __future__ import annotations

import io
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from builder.oci.digest import CHUNK, Digest
from builder.store.errors import BlobNotFound, DigestMismatch, StoreError
from builder.store.ingest import Ingest, Sealed, ingest_name, sync_directory
from builder.store.protocol import Blob
from builder.store.streams import VerifiedStream, read_verified
from builder.store.tables import Labels, decode_labels, encode_labels

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence

    from builder.oci.descriptor import Descriptor
    from builder.store.database import Database
    from builder.store.root import Root

_COLUMNS = "digest, size, labels, created_at, updated_at"


class Content:
    """The blobs of one namespace (`builder.store.protocol.ContentReader`)."""

    def __init__(self, root: Root, database: Database, namespace: str) -> None:
        self._root = root
        self._database = database
        self._namespace = namespace

    def find(self, digest: Digest) -> Blob | None:
        """What is known of the blob; None when it is not here."""
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM content WHERE namespace = ? AND digest = ?", (self._namespace, digest)
        )
        return _blob(rows[0]) if rows else None

    def walk(self) -> Iterator[Blob]:
        """All blobs, by digest."""
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM content WHERE namespace = ? ORDER BY digest", (self._namespace,)
        )
        return map(_blob, rows)

    def open(self, digest: Digest) -> BinaryIO:
        """The blob, unbuffered; the caller closes.

        Raises: BlobNotFound; DigestMismatch when its file has another size than it was committed with.
        """
        blob = self.find(digest)
        if blob is None:
            raise BlobNotFound(f"blob {digest} is not in the store")
        try:
            stream = open(self._root.blob(digest.hex), "rb", buffering=0)  # noqa: SIM115, PTH123 - the caller's
        except OSError as error:
            self._forget(digest)
            raise BlobNotFound(f"blob {digest} is lost: {error.strerror}") from error
        found = os.fstat(stream.fileno()).st_size
        if found != blob.size:
            stream.close()
            self._forget(digest)
            raise DigestMismatch(f"blob {digest} has {found} bytes on disk, not {blob.size}; it was removed")
        return stream

    def open_verified(self, descriptor: Descriptor) -> BinaryIO:
        """The blob, hashed while it is read; the caller closes.

        The last `read` raises DigestMismatch if the bytes were wrong, and the blob is removed.
        Raises: BlobNotFound, DigestMismatch for another size.
        """
        digest = descriptor.digest
        stream = self.open(digest)
        verified = VerifiedStream(stream, digest, on_mismatch=lambda: self._forget(digest))
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
        if blob is not None and _merged(blob.labels, labels) == blob.labels:
            return
        with self._database.write() as cursor:
            blob = self.find(digest)
            if blob is None:
                raise BlobNotFound(f"blob {digest} is not in the store")
            cursor.execute(
                "UPDATE content SET labels = ?, updated_at = ? WHERE namespace = ? AND digest = ?",
                (encode_labels(_merged(blob.labels, labels)), time.time(), self._namespace, digest),
            )

    def delete(self, digest: Digest) -> bool:
        """Forgets the blob; False when it was not here. Its file goes with the next collection."""
        with self._database.write() as cursor:
            cursor.execute(
                "DELETE FROM content WHERE namespace = ? AND digest = ?", (self._namespace, digest)
            )
            return cursor.rowcount > 0

    def _forget(self, digest: Digest) -> None:
        """Removes a blob whose file is wrong, from all namespaces, so that it can come again."""
        with self._database.write() as cursor:
            cursor.execute("DELETE FROM content WHERE digest = ?", (digest,))
            self._root.blob(digest.hex).unlink(missing_ok=True)


class ContentStore(Content):
    """The blobs of one namespace as the owner of a lease sees them (`ContentWriter`).

    Safe to share between threads. What is found or written here is under the lease.
    """

    def __init__(self, root: Root, database: Database, namespace: str, *, lease: str) -> None:
        super().__init__(root, database, namespace)
        self._lease = lease
        self._kept: set[Digest] = set()

    def has(self, digest: Digest) -> bool:
        """Whether the blob is here, in any namespace; if so, it is in this one and under the lease now."""
        if digest in self._kept:
            return True
        if not self._rows(digest):
            return False
        with self._database.write() as cursor:
            # Asked again: the collector may have been faster.
            rows = self._rows(digest)
            if not rows or not self._file_is(digest, rows[0].size):
                cursor.execute("DELETE FROM content WHERE digest = ?", (digest,))
                return False
            self._record(cursor, rows[0].digest, rows[0].size, rows[0].labels)
        self._kept.add(digest)
        return True

    @contextmanager
    def ingest(self, ref: str) -> Iterator[Ingest]:
        """A new blob. Leaving the block without commit leaves nothing. `ref` is for messages."""
        with self._ingest(ref, accept=lambda sealed: self._publish((sealed,))) as ingest:
            yield ingest

    def put(self, content: bytes, *, labels: Labels | None = None) -> Digest:
        """Makes `content` a blob; costs next to nothing when it is one already."""
        digest = Digest.of(content)
        if self.has(digest):
            self.update_labels(digest, labels or {})
            return digest
        with self.ingest(f"blob {digest}") as ingest:
            ingest.write(content)
            return ingest.commit(labels=labels)

    @contextmanager
    def batch(self) -> Iterator[ContentBatch]:
        """Several blobs that become visible together, when the block ends, or not at all."""
        batch = ContentBatch(self)
        try:
            yield batch
            self._publish(batch.sealed)
        finally:
            batch.close()

    def _open_ingest(self, ref: str, accept: Callable[[Sealed], None]) -> Ingest:
        path = self._root.ingests / ingest_name(self._lease)
        try:
            return Ingest(path, ref, has=self.has, accept=accept)
        except OSError as error:
            raise StoreError(f"cannot write {ref} to the store: {error.strerror}") from error

    @contextmanager
    def _ingest(self, ref: str, *, accept: Callable[[Sealed], None]) -> Iterator[Ingest]:
        ingest = self._open_ingest(ref, accept)
        try:
            yield ingest
        finally:
            ingest.close()

    def _publish(self, sealed: Sequence[Sealed]) -> None:
        if not sealed:
            return
        with self._database.write() as cursor:
            for each in sealed:
                if each.path is not None:
                    os.replace(each.path, self._root.blob(each.digest.hex))
            if any(each.path is not None for each in sealed):
                # Before the rows: one must never outlive a power cut that its file does not.
                sync_directory(self._root.blobs)
            for each in sealed:
                self._record(cursor, each.digest, each.size, each.labels)
        self._kept.update(each.digest for each in sealed)

    def _record(self, cursor: sqlite3.Cursor, digest: Digest, size: int, labels: Labels) -> None:
        now = time.time()
        cursor.execute(
            f"INSERT OR IGNORE INTO content (namespace, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
            (self._namespace, digest, size, encode_labels(labels), now, now),
        )
        if not cursor.rowcount:
            self.update_labels(digest, labels)
        cursor.execute(
            "INSERT OR IGNORE INTO lease_resources (lease, kind, id) VALUES (?, 'content', ?)",
            (self._lease, digest),
        )

    def _rows(self, digest: Digest) -> list[Blob]:
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM content WHERE digest = ? ORDER BY namespace != ?",
            (digest, self._namespace),
        )
        return [_blob(row) for row in rows]

    def _file_is(self, digest: Digest, size: int) -> bool:
        try:
            return self._root.blob(digest.hex).stat().st_size == size
        except FileNotFoundError:
            return False

    def _forget(self, digest: Digest) -> None:
        self._kept.discard(digest)
        super()._forget(digest)


class ContentBatch:
    """Blobs that become visible together (`builder.store.protocol.Batch`)."""

    def __init__(self, store: ContentStore) -> None:
        self._store = store
        self._open: list[Ingest] = []
        self.sealed: list[Sealed] = []

    def has(self, digest: Digest) -> bool:
        """Whether the blob is in the store or in the batch."""
        return any(each.digest == digest for each in self.sealed) or self._store.has(digest)

    @contextmanager
    def ingest(self, ref: str) -> Iterator[Ingest]:
        """A blob of the batch; its `commit` checks it, but does not show it yet."""
        ingest = self._store._open_ingest(ref, self.sealed.append)  # noqa: SLF001 - two halves of one class
        self._open.append(ingest)
        yield ingest

    def put(self, content: bytes, *, labels: Labels | None = None) -> Digest:
        """A small blob of the batch."""
        digest = Digest.of(content)
        if self._store.has(digest):
            self.sealed.append(Sealed(digest=digest, size=len(content), labels=labels or {}, path=None))
            return digest
        with self.ingest(f"blob {digest}") as ingest:
            ingest.write(content)
            return ingest.commit(labels=labels)

    def close(self) -> None:
        """Removes what has not become visible."""
        for ingest in self._open:
            ingest.close()


def _blob(row: tuple[str, int, str, float, float]) -> Blob:
    digest, size, labels, created_at, updated_at = row
    return Blob(
        digest=Digest(digest),
        size=size,
        labels=decode_labels(labels),
        created_at=created_at,
        updated_at=updated_at,
    )


def _merged(labels: Labels, changes: Labels) -> Labels:
    return {key: value for key, value in {**labels, **changes}.items() if value}
