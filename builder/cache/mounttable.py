"""The table of cache mounts: what each directory is called, for which platform, how large it is, who used it.

The directory is the cache and the row only describes it, so one without a row, as after the loss of a database, is
still found, shown and used. A size is forgotten when somebody uses the directory, and measured when somebody asks.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from builder.store.database import Schema

if TYPE_CHECKING:
    from collections.abc import Iterable

    from builder.store.database import Database

SCHEMA: Final = Schema(
    "cache_mounts",
    (
        """CREATE TABLE cache_mounts (
            name TEXT PRIMARY KEY,
            id TEXT NOT NULL,
            platform TEXT NOT NULL,
            sharing TEXT NOT NULL,
            description TEXT NOT NULL,
            created_at REAL NOT NULL,
            used_at REAL NOT NULL,
            uses INTEGER NOT NULL DEFAULT 0,
            size INTEGER
        ) WITHOUT ROWID""",
    ),
)


class MountRow(msgspec.Struct, frozen=True, kw_only=True):
    """One cache mount; `name` is that of its directory.

    `platform` is empty for one that all platforms share, `size` None when it must be measured. Times in seconds
    since the epoch.
    """

    name: str
    id: str
    platform: str = ""
    sharing: str = "shared"
    description: str = ""
    created_at: float
    used_at: float
    uses: int = 0
    size: int | None = None


_COLUMNS: Final = ", ".join(MountRow.__struct_fields__)


class MountTable:
    """Descriptions of the cache mounts of a state root."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, row: MountRow) -> None:
        """Describes a directory; what is known of its name already stays."""
        with self._database.write() as cursor:
            marks = ", ".join("?" * len(MountRow.__struct_fields__))
            cursor.execute(
                f"INSERT OR IGNORE INTO cache_mounts ({_COLUMNS}) VALUES ({marks})",
                msgspec.structs.astuple(row),
            )

    def begin_use(self, row: MountRow) -> None:
        """Notes that somebody is going to use the directory, and what the newest user says of it."""
        with self._database.write() as cursor:
            self.add(row)
            cursor.execute(
                "UPDATE cache_mounts SET id = ?, platform = ?, sharing = ?, description = ?, used_at = ?, "
                "uses = uses + 1, size = NULL WHERE name = ?",
                (row.id, row.platform, row.sharing, row.description, row.used_at, row.name),
            )

    def end_use(self, name: str) -> None:
        """Notes that the directory was used until now; its size is not known any more."""
        with self._database.write() as cursor:
            cursor.execute(
                "UPDATE cache_mounts SET used_at = ?, size = NULL WHERE name = ?", (time.time(), name)
            )

    def set_size(self, row: MountRow, size: int) -> None:
        """Remembers a measured size, unless somebody has used the directory since `row` was read."""
        with self._database.write() as cursor:
            cursor.execute(
                "UPDATE cache_mounts SET size = ? WHERE name = ? AND used_at = ?",
                (size, row.name, row.used_at),
            )

    def all(self) -> tuple[MountRow, ...]:
        """Every row, least recently used first."""
        rows = self._database.read(f"SELECT {_COLUMNS} FROM cache_mounts ORDER BY used_at, name")
        return tuple(MountRow(**dict(zip(MountRow.__struct_fields__, row, strict=True))) for row in rows)

    def delete(self, names: Iterable[str]) -> None:
        """Forgets these; their directories are the caller's to remove."""
        with self._database.write() as cursor:
            cursor.executemany("DELETE FROM cache_mounts WHERE name = ?", ((name,) for name in names))
