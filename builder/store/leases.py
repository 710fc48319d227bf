"""Leases: what keeps a running build's content from the garbage collector, for as long as the build lives.

A lease that belongs to a process holds a lock on a file of its own; the kernel opens the lock when the process
dies, however it dies, and the next one that looks takes the lease and all it kept away. Leases without an owner
end at the time of their label `containerd.io/gc.expire`, or when somebody deletes them.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from builder.store.ingest import lease_of, remove_stale
from builder.store.tables import Labels, decode_labels, encode_labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from builder.store.database import Database
    from builder.store.root import Root

EXPIRE: Final = "containerd.io/gc.expire"
FLAT: Final = "containerd.io/gc.flat"
_SUFFIX: Final = ".lock"

ResourceKind = Literal["content", "snapshots/dockyard"]


class LeaseRow(msgspec.Struct, frozen=True, kw_only=True):
    """A lease as the collector sees it; `owned`: it lives and dies with a process."""

    id: str
    namespace: str
    labels: dict[str, str]
    owned: bool


class Leases:
    """The leases of a state root, those of all its namespaces."""

    def __init__(self, root: Root, database: Database) -> None:
        self._root = root
        self._database = database

    @contextmanager
    def hold(self, namespace: str, labels: Labels) -> Iterator[str]:
        """A lease for the length of the block; gives its id."""
        lease, fd = self._lock()
        try:
            self._insert(lease, namespace, labels, owned=True)
            yield lease
        finally:
            try:
                self.delete((lease,))
            finally:
                os.close(fd)

    def create(self, namespace: str, labels: Labels) -> str:
        """A lease that outlives this process; without `containerd.io/gc.expire`, until it is deleted."""
        lease = os.urandom(8).hex()
        self._insert(lease, namespace, labels, owned=False)
        return lease

    def add(self, lease: str, kind: ResourceKind, names: Iterable[str]) -> None:
        """Keeps these, too."""
        with self._database.write() as cursor:
            cursor.executemany(
                "INSERT OR IGNORE INTO lease_resources (lease, kind, id) VALUES (?, ?, ?)",
                ((lease, kind, name) for name in names),
            )

    def delete(self, leases: Sequence[str]) -> int:
        """Ends leases and removes what was being written under them; returns how many there were."""
        with self._database.write() as cursor:
            cursor.executemany("DELETE FROM leases WHERE id = ?", ((each,) for each in leases))
            ended = cursor.rowcount
        remove_stale(self._root.ingests, lambda lease: lease not in leases)
        for each in leases:
            self._path(each).unlink(missing_ok=True)
        return ended

    def all(self) -> tuple[LeaseRow, ...]:
        """Every lease, the living and the dead."""
        rows = self._database.read("SELECT id, namespace, labels, owned FROM leases")
        return tuple(
            LeaseRow(id=lease, namespace=namespace, labels=decode_labels(labels), owned=bool(owned))
            for lease, namespace, labels, owned in rows
        )

    def end_dead(self) -> int:
        """Ends the leases of dead processes and those that have expired; returns how many.

        Costs two directory listings when there are none.
        """
        names = {name.removesuffix(_SUFFIX) for name in os.listdir(self._root.leases)}
        names.update(map(lease_of, os.listdir(self._root.ingests)))
        rows = self.all()
        names.update(each.id for each in rows if each.owned)
        now = time.time()
        with ExitStack() as seized:
            dead = [each for each in names if self._seize(each, seized)]
            dead += [each.id for each in rows if not each.owned and _expired(each.labels, now)]
            return self.delete(dead) if dead else 0

    def alive(self, lease: str) -> bool:
        """Whether the process lives that owns the lease."""
        try:
            fd = os.open(self._path(lease), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return not _lock(fd)
        finally:
            os.close(fd)

    def _seize(self, lease: str, seized: ExitStack) -> bool:
        """Whether the owner is dead. If so its lock is held by `seized`.

        Held until the file is gone: somebody who has just made it, and has not locked it yet, must not get it.
        """
        try:
            fd = os.open(self._path(lease), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        if _lock(fd):
            seized.callback(os.close, fd)
            return True
        os.close(fd)
        return False

    def _lock(self) -> tuple[str, int]:
        while True:
            lease = os.urandom(8).hex()
            fd = os.open(self._path(lease), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            # Between the two calls the file looked like a dead owner's, and may have been removed as such.
            if _lock(fd) and _is_at(fd, self._path(lease)):
                return lease, fd
            os.close(fd)

    def _insert(self, lease: str, namespace: str, labels: Labels, *, owned: bool) -> None:
        with self._database.write() as cursor:
            cursor.execute(
                "INSERT INTO leases (id, namespace, labels, owned, created_at) VALUES (?, ?, ?, ?, ?)",
                (lease, namespace, encode_labels(labels), owned, time.time()),
            )

    def _path(self, lease: str) -> Path:
        return self._root.leases / f"{lease}{_SUFFIX}"


def _lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


def _expired(labels: Labels, now: float) -> bool:
    text = labels.get(EXPIRE)
    if text is None:
        return False
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).timestamp() <= now
    except ValueError:
        # A time that nobody can read must not keep things for ever.
        return True
