"""Writing one blob to a daemon, from its first byte, whatever the daemon has of it.

What an earlier attempt brought is not sent again: the writer gives all bytes, as it does to any store, and
the ingest leaves out those that the daemon has, after comparing their digest with the daemon's.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from builder.oci.digest import Digest
from builder.store.errors import DigestMismatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from builder.store.containerd.conversation import Conversation
    from builder.store.tables import Labels

    Accept = Callable[[Conversation, Digest, Labels], None]
    """Called with a conversation whose bytes are those of the digest."""


class ContainerdIngest:
    """A blob that is being written, as `builder.store.protocol.Sink` describes it. Close it."""

    def __init__(self, conversation: Conversation, ref: str, *, accept: Accept) -> None:
        """`ref` is for messages; `accept` takes the checked blob over."""
        self._conversation = conversation
        self._ref = ref
        self._accept = accept
        self.resumed_at = conversation.offset
        """How many bytes the daemon had before; these are not sent."""
        self._sha256 = hashlib.sha256()
        self._size = 0

    def write(self, chunk: bytes | memoryview, /) -> int:
        """Takes all of `chunk`.

        Raises: StoreError; DigestMismatch when an earlier attempt left other bytes, which are forgotten then.
        """
        view = memoryview(chunk).cast("B")
        known = min(len(view), max(0, self.resumed_at - self._size))
        self._sha256.update(view[:known])
        self._size += known
        if known and self._size == self.resumed_at:
            self._require_same()
        self._sha256.update(view[known:])
        self._conversation.write(view[known:])
        self._size += len(view) - known
        return len(view)

    def commit(
        self, *, expected: Digest | None = None, size: int | None = None, labels: Labels | None = None
    ) -> Digest:
        """Checks size and digest and hands the blob over.

        Raises: DigestMismatch when it is not the expected one; StoreError.
        """
        digest = self._digest()
        if size is not None and size != self._size:
            self._refuse(f"{self._size} bytes came where {size} were expected")
        if expected is not None and expected != digest:
            self._refuse(f"unexpected commit digest {digest}, expected {expected}")
        self._require_same()
        self._accept(self._conversation, digest, labels or {})
        return digest

    def close(self) -> None:
        """Ends the conversation. What was not handed over goes with the lease."""
        self._conversation.close()

    def _require_same(self) -> None:
        if self._conversation.digest != self._digest():
            self._refuse("the daemon has other bytes of it, from an earlier attempt; they are forgotten now")

    def _refuse(self, reason: str) -> None:
        # Bytes that stayed would be gone on with by the next attempt.
        self._conversation.abort()
        raise DigestMismatch(f"{self._ref}: {reason}")

    def _digest(self) -> Digest:
        return Digest(f"sha256:{self._sha256.hexdigest()}")
