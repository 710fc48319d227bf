"""The daemon's side of writing a blob: one conversation, in which every request is answered before the next.

The daemon knows an unfinished blob by its *ref*, keeps its bytes under the lease, and lets one writer at a
time have it. A ref that ends in the digest of the blob, as containerd's own clients make them, is the same
in the next attempt, which finds what the last one brought.
Source: containerd's content service, `Write`.
"""

from __future__ import annotations

import os
import queue
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from builder.oci.digest import CHUNK
from builder.store.containerd import methods
from builder.store.containerd.errors import ConnectionLost, Locked, NotFound
from builder.store.errors import StoreError

if TYPE_CHECKING:
    from types import TracebackType

    from builder.oci.digest import Digest
    from builder.store.containerd.connection import Connection
    from builder.store.containerd.methods import WriteAnswer
    from builder.store.protocol import Blob
    from builder.store.tables import Labels

_STAT: Final = 0
_WRITE: Final = 1
_COMMIT: Final = 2
_NAMES_ITS_CONTENT: Final = re.compile(r"sha256:[a-f0-9]{64}$", re.ASCII)
_PATIENCE: Final = (0.05, 0.1, 0.2, 0.4)
"""Seconds between attempts to get a ref. It is ours as soon as the daemon notices that an old writer died; if
somebody else is writing the same blob, sending it twice is quicker than waiting for a slow network of theirs."""


class Conversation:
    """The daemon's writer of one ref. Close it, or use it in a `with` block."""

    def __init__(self, connection: Connection, ref: str, *, lease: str) -> None:
        """Raises: Locked when somebody else has the ref; StoreError."""
        self.ref = ref
        self._connection = connection
        self._requests: queue.SimpleQueue[dict[str, object] | None] = queue.SimpleQueue()
        self._answers = connection.converse(
            methods.CONTENT_WRITE, iter(self._requests.get, None), lease=lease
        )
        try:
            self._state = self._ask(action=_STAT, ref=ref)
        except BaseException:
            self.close()
            raise

    @property
    def offset(self) -> int:
        """How many bytes the daemon has."""
        return self._state.offset

    @property
    def digest(self) -> str:
        """Digest of the bytes that the daemon has."""
        return self._state.digest

    def write(self, chunk: memoryview) -> None:
        """Takes all of `chunk`, behind what the daemon has. Raises: StoreError."""
        for start in range(0, len(chunk), CHUNK):
            part = bytes(chunk[start : start + CHUNK])
            self._state = self._ask(action=_WRITE, ref=self.ref, offset=self.offset, data=part)

    def commit(self, expected: Digest, labels: Labels) -> None:
        """Makes the blob visible, under the lease.

        Raises: AlreadyExists when it is visible, and then its labels are as they were; Rejected when the
        daemon has other bytes; StoreError.
        """
        self._ask(
            action=_COMMIT,
            ref=self.ref,
            offset=self.offset,
            total=self.offset,
            expected=expected,
            labels=labels,
        )

    def finish(self) -> None:
        """Gives the ref back for certain, before it returns; what was written stays, under the lease."""
        self._requests.put(None)
        for _ in self._answers:
            pass

    def abort(self) -> None:
        """Ends the conversation, and the daemon forgets what was written. Raises: StoreError."""
        # The daemon must be done with its files before it can remove them.
        with suppress(StoreError):
            self.finish()
        abort(self._connection, self.ref)

    def close(self) -> None:
        """Gives the ref back; what was written stays at the daemon, under the lease."""
        # Wakes the thread that sends requests; nobody else would.
        self._requests.put(None)
        self._answers.close()

    def _ask(self, **fields: object) -> WriteAnswer:
        self._requests.put(fields)
        answer = next(self._answers, None)
        if answer is None:
            raise ConnectionLost(f"containerd ended the conversation about {self.ref}", hint="try again")
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def converse(connection: Connection, ref: str, *, lease: str) -> Conversation:
    """A writer of `ref`, if `ref` names its content and can be had; else of a ref that nobody else uses.

    Raises: StoreError.
    """
    for pause in _PATIENCE if _NAMES_ITS_CONTENT.search(ref) else ():
        try:
            return Conversation(connection, ref, lease=lease)
        except Locked:
            time.sleep(pause)
    return Conversation(connection, own_ref(), lease=lease)


def commit_known(connection: Connection, ref: str, blob: Blob, *, lease: str) -> None:
    """Makes `blob`, which the daemon has for another namespace, visible in this one, without its bytes.

    Raises: AlreadyExists when it is visible; Rejected when the daemon wants the bytes; StoreError.
    """
    request: dict[str, object] = {
        "action": _COMMIT,
        "ref": ref,
        "offset": blob.size,
        "total": blob.size,
        "expected": blob.digest,
        "labels": blob.labels,
    }
    for _ in connection.converse(methods.CONTENT_WRITE, iter((request,)), lease=lease):
        pass


def own_ref() -> str:
    """A ref that nobody else uses."""
    return f"dockyard-{os.urandom(8).hex()}"


def abort(connection: Connection, ref: str) -> None:
    """The daemon forgets an unfinished blob; one that it does not know is no error."""
    with suppress(NotFound):
        connection.call(methods.CONTENT_ABORT, ref=ref)
