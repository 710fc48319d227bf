"""Looking after a state root: what nothing keeps goes, and whether all is as it should be."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from builder.api.workspace import SCHEMAS, layer_paths
from builder.cache.parts import PartsTable
from builder.cache.records import CacheRecords
from builder.snapshot.digests import FileDigests
from builder.snapshot.layerdb import LayerID, LayerTable
from builder.store import check, repair
from builder.store.errors import DamagedDatabase
from builder.store.gc import Collected, Roots, collect
from builder.store.root import open_root
from builder.store.selection import open_store
from builder.system.removal import clear_away

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from builder.snapshot.conversions import LayerPaths
    from builder.store.embedded import EmbeddedStore

_NOTES_SECONDS: Final = 60 * 24 * 3600
_SETTLED_SECONDS: Final = 3600
"""A build that runs may have definitions for which it has no record yet; most are done within this."""


def collect_garbage(root: Path) -> Collected:
    """Removes what no image, lease or cache record keeps. Raises: StoreError."""
    with open_store(root, schemas=SCHEMAS) as store:
        return collect_in(store)


def collect_in(store: EmbeddedStore) -> Collected:
    """Removes what nothing keeps in the state root of `store`, whose tables are there. Raises: StoreError."""
    table, records = LayerTable(store.database), CacheRecords(store.database)
    collected = collect(
        store.root,
        store.database,
        snapshots=_LayerFiles(table, layer_paths(store.root.path)),
        extra_roots=lambda: _cache_roots(table, records),
    )
    records.forget_definitions(before=time.time() - _SETTLED_SECONDS)
    PartsTable(store.database).prune()
    FileDigests(store.database).sweep()
    _forget_notes(store.root.path / "downloads")
    store.database.compact()
    return collected


def _forget_notes(downloads: Path) -> None:
    """Removes old notes on files of the network; one that is still of use is written again by a download."""
    with suppress(FileNotFoundError):
        for note in downloads.iterdir():
            if time.time() - note.stat().st_mtime > _NOTES_SECONDS:
                note.unlink()


def check_store(root: Path, *, verify: bool) -> list[str]:
    """What is wrong with the state root, a sentence each; with `verify` every blob is read.

    Raises: StoreError.
    """
    with open_store(root, schemas=SCHEMAS) as store:
        problems = list(check.check(store.root, store.database, verify=verify))
        trees = layer_paths(store.root.path).trees
        problems += [
            f"layer {layer}: its tree is missing"
            for layer in LayerTable(store.database).with_trees()
            if not (trees / str(layer)).is_dir()
        ]
    return problems


def repair_store(root: Path, *, verify: bool) -> list[str]:
    """Puts right what `check_store` complains of, and returns what was done, a sentence each.

    A damaged database is moved aside and made anew from the blobs that are there: names of images and the cache of
    steps are lost. Raises: StoreError while builds are running, or when something cannot be repaired.
    """
    opened = open_root(root)
    done: list[str] = []
    try:
        with open_store(root, schemas=SCHEMAS) as store:
            damaged = bool(store.database.problems())
    except DamagedDatabase:
        damaged = True
    if damaged:
        aside = repair.set_aside(opened)
        done.append(f"the database was damaged and is now {aside}; names of images and the cache are lost")
    with open_store(root, schemas=SCHEMAS) as store:
        if damaged:
            done += repair.refill(store)
        done += _mend_layers(store)
        done += repair.mend(store.root, store.database, verify=verify)
        collect_in(store)
    return done


def _mend_layers(store: EmbeddedStore) -> list[str]:
    table, trees = LayerTable(store.database), layer_paths(store.root.path).trees
    lost = [layer for layer in table.with_trees() if not (trees / str(layer)).is_dir()]
    for layer in lost:
        table.forget_tree(layer)
    return [f"the tree of layer {layer} was missing and is forgotten" for layer in lost]


def _cache_roots(table: LayerTable, records: CacheRecords) -> Roots:
    layers = records.layers()
    rows = (table.get(layer) for layer in layers)
    return Roots(
        content=frozenset(blob.digest for row in rows if row is not None for blob, _ in row.blobs),
        snapshots=frozenset(str(layer) for layer in layers),
    )


class _LayerFiles:
    """Trees and indexes of layers, by the layer's number (`builder.store.gc.SnapshotRemover`)."""

    def __init__(self, table: LayerTable, paths: LayerPaths) -> None:
        self._table = table
        self._paths = paths

    def names(self) -> set[str]:
        """Every layer that has a row or files."""
        rows = {str(layer) for layer in self._table.all()}
        files = {
            path.name for folder in (self._paths.trees, self._paths.indexes) for path in folder.iterdir()
        }
        return rows | files

    def forget(self, names: Collection[str]) -> None:
        """Takes the layers out of the table."""
        self._table.delete(LayerID(int(name)) for name in names if name.isdigit())

    def remove(self, name: str) -> None:
        """Removes the files of a layer."""
        clear_away(self._paths.trees / name)
        (self._paths.indexes / name).unlink(missing_ok=True)
