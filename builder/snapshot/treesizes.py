"""What trees take on disk, measured once: a tree never changes.

Measuring is left to whoever wants to know. A step that has just filled a tree with 20,000 files would otherwise
pay for a walk that most builds never ask for.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from builder.snapshot.layerdb import LayerID
from builder.store.database import Schema

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from builder.store.database import Database

SCHEMA: Final = Schema(
    "tree_sizes",
    (
        """CREATE TABLE tree_sizes (
            layer INTEGER PRIMARY KEY REFERENCES layers (id) ON DELETE CASCADE,
            size INTEGER NOT NULL
        )""",
    ),
)
_BLOCK: Final = 512
"""What `st_blocks` counts in, whatever the file system's own blocks are."""


def disk_usage(path: Path) -> int:
    """Bytes that `path` and all below it take on the disk; a file with several names counts once.

    What vanishes meanwhile counts as nothing.
    """
    total, seen, pending = 0, set[tuple[int, int]](), [os.fspath(path)]
    try:
        total += os.lstat(path).st_blocks * _BLOCK
    except FileNotFoundError:
        return 0
    while pending:
        try:
            entries = os.scandir(pending.pop())
        except (FileNotFoundError, NotADirectoryError):
            continue
        with entries:
            for entry in entries:
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISDIR(status.st_mode):
                    pending.append(entry.path)
                elif status.st_nlink > 1:
                    if (status.st_dev, status.st_ino) in seen:
                        continue
                    seen.add((status.st_dev, status.st_ino))
                total += status.st_blocks * _BLOCK
    return total


class TreeSizes:
    """Sizes of the trees in `directory`, which are named after their layers."""

    def __init__(self, database: Database, directory: Path) -> None:
        self._database = database
        self._directory = directory

    def measure(self) -> None:
        """Measures the trees that nobody has measured yet."""
        rows = self._database.read(
            "SELECT id FROM layers WHERE tree AND id NOT IN (SELECT layer FROM tree_sizes)"
        )
        measured = [(layer, disk_usage(self._directory / str(layer))) for (layer,) in rows]
        if measured:
            with self._database.write() as cursor:
                # A layer may have been collected while it was measured.
                cursor.executemany(
                    "INSERT OR IGNORE INTO tree_sizes SELECT id, ? FROM layers WHERE id = ?",
                    ((size, layer) for layer, size in measured),
                )

    def all(self) -> Mapping[LayerID, int]:
        """Bytes by layer, of all trees that have been measured."""
        rows = self._database.read("SELECT layer, size FROM tree_sizes")
        return {LayerID(layer): size for layer, size in rows}

    def total(self) -> int:
        """Bytes of all trees, the new ones among them."""
        self.measure()
        return int(self._database.read("SELECT COALESCE(SUM(size), 0) FROM tree_sizes")[0][0])
