"""Several blobs that become visible together, at a daemon that has no transactions.

Large blobs wait at the daemon as unfinished writes, small ones here, until the block ends. If one cannot be
committed then, those before it are visible, but nothing keeps them beyond the lease.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from builder.oci.digest import Digest
from builder.store.containerd.conversation import Conversation, abort, own_ref
from builder.store.containerd.ingest import ContainerdIngest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.store.containerd.connection import Connection
    from builder.store.containerd.writer import ContainerdWriter
    from builder.store.tables import Labels


class _Sealed(msgspec.Struct, frozen=True):
    """A checked blob that waits at the daemon for its commit."""

    ref: str
    labels: dict[str, str]


class _Small(msgspec.Struct, frozen=True):
    """A blob that waits here."""

    content: bytes
    labels: dict[str, str]


class ContainerdBatch:
    """Blobs that become visible together (`builder.store.protocol.Batch`)."""

    def __init__(self, connection: Connection, writer: ContainerdWriter, *, lease: str) -> None:
        self._connection = connection
        self._lease = lease
        self._writer = writer
        self._sealed: dict[Digest, _Sealed] = {}
        self._small: dict[Digest, _Small] = {}

    def has(self, digest: Digest) -> bool:
        """Whether the blob is in the store or in the batch."""
        return digest in self._sealed or digest in self._small or self._writer.has(digest)

    @contextmanager
    def ingest(self, ref: str) -> Iterator[ContainerdIngest]:
        """A blob of the batch; its `commit` checks it, but does not show it yet."""
        # Of its own: what waits for its commit must not be gone on with by somebody else.
        conversation = self._converse(own_ref())
        ingest = ContainerdIngest(conversation, ref, accept=self._seal)
        try:
            yield ingest
        finally:
            ingest.close()

    def put(self, content: bytes, *, labels: Labels | None = None) -> Digest:
        """A small blob of the batch."""
        digest = Digest.of(content)
        known = self._small.get(digest)
        self._small[digest] = _Small(content, {**(known.labels if known else {}), **(labels or {})})
        return digest

    def publish(self) -> None:
        """Shows the blobs, large ones first: documents point at them. Raises: StoreError."""
        for digest, sealed in self._sealed.items():
            with self._converse(sealed.ref) as conversation:
                self._writer.commit(conversation, digest, sealed.labels)
        for small in self._small.values():
            self._writer.put(small.content, labels=small.labels)

    def forget(self) -> None:
        """Removes what has not become visible."""
        for sealed in self._sealed.values():
            abort(self._connection, sealed.ref)

    def _converse(self, ref: str) -> Conversation:
        return Conversation(self._connection, ref, lease=self._lease)

    def _seal(self, conversation: Conversation, digest: Digest, labels: Labels) -> None:
        conversation.finish()
        known = self._sealed.get(digest)
        if known is not None:
            abort(self._connection, conversation.ref)
            labels = {**known.labels, **labels}
        self._sealed[digest] = _Sealed(known.ref if known else conversation.ref, labels)
