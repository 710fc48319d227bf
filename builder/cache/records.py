"""Cache records: which layers a key stands for.

A record holds the whole stack of its result, so that it can be used without the steps before it: a fully
cached build neither pulls nor unpacks. Records are hints: one whose layers are gone is a miss, never an error.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from builder.oci.digest import Digest
from builder.snapshot.layerdb import LayerID
from builder.store.database import Schema

if TYPE_CHECKING:
    from collections.abc import Iterable

    from builder.store.database import Database

SCHEMA: Final = Schema(
    "cache_records",
    (
        """CREATE TABLE cache_records (
            key TEXT PRIMARY KEY,
            layers TEXT NOT NULL,
            description TEXT NOT NULL,
            created_at REAL NOT NULL,
            used_at REAL NOT NULL,
            uses INTEGER NOT NULL DEFAULT 0
        ) WITHOUT ROWID""",
        """CREATE TABLE cache_definitions (
            definition TEXT PRIMARY KEY,
            key TEXT NOT NULL,
            used_at REAL NOT NULL
        ) WITHOUT ROWID""",
    ),
)
KINDS: Final = Schema(
    "cache_kinds",
    ("CREATE TABLE cache_kinds (key TEXT PRIMARY KEY, kind TEXT NOT NULL) WITHOUT ROWID",),
)
"""What records are, where that is not a step of a build."""

RecordKind: TypeAlias = Literal["regular", "internal", "source.git.checkout"]
"""What a record holds, in the words of BuildKit: the result of a step, what a build made for itself, files."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one step: its layers, lowest first. Times in seconds since the epoch."""

    key: Digest
    layers: tuple[LayerID, ...]
    description: str
    created_at: float
    used_at: float
    uses: int
    kind: RecordKind = "regular"


class CacheRecords:
    """The records of a state root, shared by all its builds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, key: Digest) -> tuple[LayerID, ...] | None:
        """The layers that `key` stands for, lowest first; None when it is not known."""
        rows = self._database.read("SELECT layers FROM cache_records WHERE key = ?", (key,))
        return tuple(LayerID(each) for each in msgspec.json.decode(rows[0][0])) if rows else None

    def knows(self, key: Digest) -> bool:
        """Whether there is a record of `key`, of use or not."""
        return bool(self._database.read("SELECT 1 FROM cache_records WHERE key = ?", (key,)))

    def save(
        self, key: Digest, layers: tuple[LayerID, ...], *, description: str, kind: RecordKind = "regular"
    ) -> None:
        """Remembers a result; one that was known under this key is replaced."""
        now = time.time()
        with self._database.write() as cursor:
            cursor.execute(
                "INSERT OR REPLACE INTO cache_records VALUES (?, ?, ?, ?, ?, 0)",
                (key, msgspec.json.encode(layers).decode(), description, now, now),
            )
            if kind != "regular":
                cursor.execute("INSERT OR REPLACE INTO cache_kinds VALUES (?, ?)", (key, kind))

    def find_definition(self, definition: Digest) -> Digest | None:
        """The key that a definition led to, the last time its content was looked at."""
        rows = self._database.read("SELECT key FROM cache_definitions WHERE definition = ?", (definition,))
        return Digest(rows[0][0]) if rows else None

    def save_definition(self, definition: Digest, key: Digest) -> None:
        """Remembers what a definition led to."""
        with self._database.write() as cursor:
            cursor.execute(
                "INSERT OR REPLACE INTO cache_definitions VALUES (?, ?, ?)", (definition, key, time.time())
            )

    def touch(self, keys: Iterable[Digest]) -> None:
        """Notes that these records were used now."""
        now = time.time()
        with self._database.write() as cursor:
            cursor.executemany(
                "UPDATE cache_records SET used_at = ?, uses = uses + 1 WHERE key = ?",
                ((now, key) for key in keys),
            )

    def all(self) -> tuple[Record, ...]:
        """Every record, least recently used first."""
        rows = self._database.read(
            "SELECT key, layers, description, created_at, used_at, uses, COALESCE(kind, 'regular') "
            "FROM cache_records LEFT JOIN cache_kinds USING (key) ORDER BY used_at, key"
        )
        return tuple(
            Record(
                key=Digest(key),
                layers=tuple(LayerID(each) for each in msgspec.json.decode(layers)),
                description=description,
                created_at=created_at,
                used_at=used_at,
                uses=uses,
                kind=kind,
            )
            for key, layers, description, created_at, used_at, uses, kind in rows
        )

    def layers(self) -> frozenset[LayerID]:
        """Every layer that a record needs."""
        rows = self._database.read("SELECT layers FROM cache_records")
        return frozenset(LayerID(each) for (layers,) in rows for each in msgspec.json.decode(layers))

    def delete(self, keys: Iterable[Digest]) -> None:
        """Forgets these records; their layers are the collector's to remove."""
        rows = [(key,) for key in keys]
        with self._database.write() as cursor:
            cursor.executemany("DELETE FROM cache_records WHERE key = ?", rows)
            cursor.executemany("DELETE FROM cache_kinds WHERE key = ?", rows)

    def forget_definitions(self, *, before: float) -> None:
        """Forgets definitions, of earlier than `before` in seconds since the epoch, that lead to no record."""
        with self._database.write() as cursor:
            cursor.execute(
                "DELETE FROM cache_definitions WHERE used_at < ? AND key NOT IN (SELECT key FROM cache_records)",
                (before,),
            )
