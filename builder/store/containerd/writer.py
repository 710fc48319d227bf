"""The blobs of a daemon's namespace, as the owner of a lease sees them (`builder.store.protocol.ContentWriter`).

What is here is never sent: neither what the namespace has, nor what another one has, which the daemon takes
over without the bytes if its policy lets us.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from builder.oci.digest import Digest
from builder.store.containerd import methods
from builder.store.containerd.batch import ContainerdBatch
from builder.store.containerd.content import ContainerdContent
from builder.store.containerd.conversation import Conversation, abort, commit_known, converse, own_ref
from builder.store.containerd.errors import AlreadyExists, Rejected
from builder.store.containerd.ingest import ContainerdIngest
from builder.store.errors import DigestMismatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.store.containerd.connection import Connection
    from builder.store.protocol import Blob
    from builder.store.tables import Labels


class ContainerdWriter(ContainerdContent):
    """The blobs of one namespace; what is found or written here is under the lease. Safe to share."""

    def __init__(self, connection: Connection, lease: str) -> None:
        super().__init__(connection)
        self._lease = lease
        self._kept: set[Digest] = set()

    def has(self, digest: Digest) -> bool:
        """Whether the blob is here, in any namespace; if so, it is in this one and under the lease now."""
        if digest in self._kept:
            return True
        if self.find(digest) is None:
            return self._adopt(digest)
        self._connection.call(methods.LEASE_ADD, id=self._lease, resource={"type": "content", "id": digest})
        # Asked again: the collector may have been faster.
        if self.find(digest) is None:
            return False
        self._kept.add(digest)
        return True

    @contextmanager
    def ingest(self, ref: str) -> Iterator[ContainerdIngest]:
        """A new blob. What is left without commit is visible to nobody, and goes with the lease.

        With a `ref` that ends in the digest of the blob, what an earlier attempt brought is not sent again.
        """
        conversation = converse(self._connection, ref, lease=self._lease)
        ingest = ContainerdIngest(conversation, ref, accept=self.commit)
        try:
            yield ingest
        finally:
            ingest.close()

    def put(self, content: bytes, *, labels: Labels | None = None) -> Digest:
        """Makes `content` a blob; costs next to nothing when it is one already."""
        digest = Digest.of(content)
        if self.has(digest):
            self.update_labels(digest, labels or {})
            return digest
        with self.ingest(own_ref()) as ingest:
            ingest.write(content)
            return ingest.commit(labels=labels)

    @contextmanager
    def batch(self) -> Iterator[ContainerdBatch]:
        """Several blobs that become visible together, when the block ends, or not at all."""
        batch = ContainerdBatch(self._connection, self, lease=self._lease)
        try:
            yield batch
            batch.publish()
        except BaseException:
            batch.forget()
            raise

    def commit(self, conversation: Conversation, digest: Digest, labels: Labels) -> None:
        """Makes what was written visible. Raises: DigestMismatch, and it is forgotten; StoreError."""
        try:
            conversation.commit(digest, labels)
        except AlreadyExists:
            self.update_labels(digest, labels)
        except Rejected as error:
            conversation.abort()
            raise DigestMismatch(f"blob {digest} is not what the daemon has: {error.message}") from error
        self._kept.add(digest)

    def _adopt(self, digest: Digest) -> bool:
        """Takes the blob over from another namespace. Source: containerd, `content_sharing_policy`."""
        for namespace in self._connection.call(methods.NAMESPACE_LIST).namespaces:
            blob = self.find(digest, namespace=namespace.name)
            if blob is not None:
                return self._take_over(blob)
        return False

    def _take_over(self, blob: Blob) -> bool:
        ref = own_ref()
        try:
            commit_known(self._connection, ref, blob, lease=self._lease)
        except AlreadyExists:
            pass
        except Rejected:
            abort(self._connection, ref)
            return False
        self._kept.add(blob.digest)
        return True
