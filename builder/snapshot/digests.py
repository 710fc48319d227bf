"""Digests of files, remembered by what the kernel says of them.

A file that kept device, inode, size, mtime and ctime kept its bytes, so an unchanged context of 20,000 files
costs a walk and no read. A file that changed a moment ago is read but not remembered: within one tick of the
clock it could change again and look the same.

A row tells the day of its last use, give or take a week, so that unchanged files cost no writing either. Once a
day, whoever writes anyway forgets what was not used for a month.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from builder.oci.digest import Digest, digest_stream
from builder.snapshot.disk import STAMP, DiskContent
from builder.snapshot.errors import SnapshotError
from builder.snapshot.links import unmarked
from builder.snapshot.readers import read_all
from builder.store.database import Schema

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Container, Iterable

    from builder.snapshot.entry import Content, Node
    from builder.store.database import Database

SCHEMA: Final = Schema(
    "file_digests",
    (
        """CREATE TABLE file_digests (
            device INTEGER NOT NULL,
            inode INTEGER NOT NULL,
            size INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL,
            ctime_ns INTEGER NOT NULL,
            digest TEXT NOT NULL,
            PRIMARY KEY (device, inode)
        ) WITHOUT ROWID""",
        "ALTER TABLE file_digests ADD COLUMN used_day INTEGER NOT NULL DEFAULT 0",
        "CREATE TABLE file_digest_sweeps (day INTEGER PRIMARY KEY)",
    ),
)
_DAY: Final = 24 * 3600
_KEPT_DAYS: Final = 30
_EXACT_DAYS: Final = 7
"""A use is written down when the last one is this long ago."""
_MOST_ROWS: Final = 1_000_000
_SETTLED_NS: Final = 100_000_000
_BATCH: Final = 500
_SMALL: Final = 64 << 10

_Stat = bytes
"""The stamp of a file: device, inode, size, mtime and ctime."""


class FileDigests:
    """Digests of regular files' content; safe to share between threads."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        """`clock` tells the seconds since the epoch by which days are counted."""
        self._database = database
        self._clock = clock
        # Digests without their algorithm, in bytes: half as large.
        self._known: dict[_Stat, bytes] = {}
        self._fresh: set[_Stat] = set()
        self._lock = threading.Lock()

    def learn(self, nodes: Iterable[Node]) -> None:
        """Makes the digests of many files known: looked up together, and what is new read.

        A query for each file would cost more than the walk. What cannot be read is left for `of` to complain
        about.
        """
        files = {
            stat: node for node in nodes if (stat := _stat(node)) is not None and stat not in self._known
        }
        inodes: dict[int, list[int]] = {}
        for device, inode, *_ in map(STAMP.unpack, files):
            inodes.setdefault(device, []).append(inode)
        for device, numbers in inodes.items():
            for start in range(0, len(numbers), _BATCH):
                self._load(device, numbers[start : start + _BATCH], files)
        self._read(node for stat, node in files.items() if stat not in self._known)

    def _read(self, nodes: Iterable[Node]) -> None:
        now = time.time_ns()
        known, fresh = self._known, set[_Stat]()

        def read(node: Node) -> None:
            stat = _stat(node)
            assert node.content is not None
            assert stat is not None
            with suppress(OSError, SnapshotError):
                known[stat] = _read_and_digest(node.content, node.entry.size)
                if _is_settled(stat, now):
                    fresh.add(stat)

        read_all(tuple(nodes), read)
        with self._lock:
            self._fresh |= fresh

    def of(self, node: Node) -> Digest:
        """The digest of a regular file's content, read only if it is not known.

        Raises: OSError, ContentChanged.
        """
        if node.entry.digest is not None:
            return node.entry.digest
        stat = _stat(node)
        if stat is not None and (known := self._known.get(stat)) is not None:
            return _digest(known)
        if node.content is None:
            raise ValueError(f"no content to digest at {node.entry.path!r}")
        raw = _read_and_digest(node.content, node.entry.size)
        if stat is not None:
            self._remember(stat, raw)
        return _digest(raw)

    def save(self) -> None:
        """Writes what was learnt to the database."""
        with self._lock:
            fresh, self._fresh = self._fresh, set()
        if fresh:
            today = self._today()
            with self._database.write() as cursor:
                cursor.executemany(
                    "INSERT OR REPLACE INTO file_digests VALUES (?, ?, ?, ?, ?, ?, ?)",
                    ((*STAMP.unpack(stat), _digest(self._known[stat]), today) for stat in fresh),
                )
                cursor.execute("INSERT OR IGNORE INTO file_digest_sweeps VALUES (?)", (today,))
                if cursor.rowcount:
                    cursor.execute("DELETE FROM file_digest_sweeps WHERE day != ?", (today,))
                    _sweep(cursor, today, _MOST_ROWS)

    def sweep(self, *, most: int = _MOST_ROWS) -> None:
        """Forgets what was not used for a month, and of more than `most` files those of the earliest days."""
        with self._database.write() as cursor:
            _sweep(cursor, self._today(), most)

    def _today(self) -> int:
        return int(self._clock()) // _DAY

    def _load(self, device: int, inodes: list[int], files: Container[_Stat]) -> None:
        """Takes rows over, and notes the use of those of `files` whose last one was long ago."""
        long_ago = self._today() - _EXACT_DAYS
        marks = ",".join("?" * len(inodes))
        rows = self._database.read(
            "SELECT device, inode, size, mtime_ns, ctime_ns, digest, used_day FROM file_digests "
            f"WHERE device = ? AND inode IN ({marks})",
            (device, *inodes),
        )
        for *identity, digest, day in rows:
            stat = STAMP.pack(*identity)
            self._known[stat] = bytes.fromhex(Digest(digest).hex)
            if day <= long_ago and stat in files:
                with self._lock:
                    self._fresh.add(stat)

    def _remember(self, stat: _Stat, digest: bytes) -> None:
        self._known[stat] = digest
        if _is_settled(stat, time.time_ns()):
            with self._lock:
                self._fresh.add(stat)


def _sweep(cursor: sqlite3.Cursor, today: int, most: int) -> None:
    cursor.execute("DELETE FROM file_digests WHERE used_day < ?", (today - _KEPT_DAYS,))
    if cursor.execute("SELECT COUNT(*) FROM file_digests").fetchone()[0] > most:
        # The days before the one on which the last row stands that may stay; never the latest day.
        cursor.execute(
            "DELETE FROM file_digests WHERE used_day < "
            "(SELECT used_day FROM file_digests ORDER BY used_day DESC LIMIT 1 OFFSET ?)",
            (most - 1,),
        )


def _is_settled(stat: _Stat, now: int) -> bool:
    """Whether a file that was read at `now` or later cannot have changed after it within one tick of the clock."""
    return now - int(STAMP.unpack(stat)[4]) > _SETTLED_NS


def _read_and_digest(content: Content, size: int) -> bytes:
    if size < _SMALL:
        return sha256(content.read(_SMALL)).digest()
    with content.open() as stream:
        return bytes.fromhex(digest_stream(stream).hex)


def _digest(raw: bytes) -> Digest:
    return Digest(f"sha256:{raw.hex()}")


def _stat(node: Node) -> _Stat | None:
    """The identity of a file on disk; None for content that has no inode."""
    content = unmarked(node.content)
    return content.stamp if isinstance(content, DiskContent) else None
