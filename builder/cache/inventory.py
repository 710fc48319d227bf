"""The inventory: entries of the cache, read from the tables of layers, records, mounts, images and leases."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from builder.cache.entries import MOUNT_KIND, CacheEntry
from builder.store.gc import kept_by_images

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from builder.cache.mounts import CacheMounts
    from builder.cache.mounttable import MountRow
    from builder.cache.records import CacheRecords, Record
    from builder.oci.digest import Digest
    from builder.snapshot.layerdb import LayerID
    from builder.snapshot.treesizes import TreeSizes
    from builder.store.database import Database

_SHOWN: Final = 25
"""Digits of a mount's name that make its id: as many as BuildKit's ids have."""


class Inventory:
    """Reads what the cache holds. What has not been measured yet is measured for it."""

    def __init__(
        self,
        database: Database,
        records: CacheRecords,
        mounts: CacheMounts,
        sizes: TreeSizes,
        indexes: Path,
    ) -> None:
        self._database = database
        self._records = records
        self._mounts = mounts
        self._sizes = sizes
        self._indexes = indexes

    def entries(self) -> tuple[CacheEntry, ...]:
        """Every layer and every mount, in the order in which they were made."""
        layers = self._layers()
        return (*layers, *map(self._mount, self._mounts.all()))

    def mounts(self) -> tuple[tuple[MountRow, CacheEntry], ...]:
        """Every mount, as its row and as an entry; least recently used first."""
        return tuple((row, self._mount(row)) for row in self._mounts.all())

    def files_size(self) -> int:
        """Bytes of all trees, path indexes and mounts; blobs are not in it."""
        mounts = sum(row.size or 0 for row in self._mounts.all())
        return self._sizes.total() + sum(self._index_sizes().values()) + mounts

    def layer_blobs(self) -> Mapping[LayerID, Mapping[Digest, int]]:
        """Sizes of the blobs of each layer that are in the content store; one of several layers counts once."""
        rows = self._database.read(
            "SELECT layer, digest, size FROM layer_blobs "
            "WHERE digest IN (SELECT digest FROM content) ORDER BY layer"
        )
        found: dict[LayerID, dict[Digest, int]] = defaultdict(dict)
        seen: set[Digest] = set()
        for layer, digest, size in rows:
            if digest not in seen:
                seen.add(digest)
                found[layer][digest] = size
        return found

    def leased_layers(self) -> Mapping[str, tuple[str, ...]]:
        """The leases that keep a layer, by its number."""
        rows = self._database.read("SELECT id, lease FROM lease_resources WHERE kind != 'content'")
        leases: dict[str, tuple[str, ...]] = {}
        for layer, lease in rows:
            leases[layer] = (*leases.get(layer, ()), lease)
        return leases

    def _layers(self) -> list[CacheEntry]:
        records = self._records.all()
        ending: dict[LayerID, list[Record]] = defaultdict(list)
        below: dict[LayerID, LayerID | None] = {}
        used: dict[LayerID, float] = {}
        for record in records:
            if record.layers:
                ending[record.layers[-1]].append(record)
            for lower, layer in zip((None, *record.layers), record.layers, strict=False):
                below.setdefault(layer, lower)
                used[layer] = max(used.get(layer, 0), record.used_at)
        self._sizes.measure()
        trees, indexes, blobs = self._sizes.all(), self._index_sizes(), self.layer_blobs()
        by_image: frozenset[Digest] = frozenset().union(*kept_by_images(self._database).values())
        leased = self.leased_layers().keys()
        rows = self._database.read("SELECT id, chain, diff_id, created_ns FROM layers ORDER BY id")
        return [
            CacheEntry(
                id=str(layer),
                kind=_newest(ending[layer]).kind if ending[layer] else "regular",
                description=_newest(ending[layer]).description
                if ending[layer]
                else _unrecorded(chain, diff_id, named=layer in below),
                parents=() if below.get(layer) is None else (str(below[layer]),),
                created_at=created_ns / 1e9,
                used_at=max((each.used_at for each in ending[layer]), default=used.get(layer)),
                uses=sum(each.uses for each in ending[layer]),
                size=trees.get(layer, 0) + indexes.get(str(layer), 0) + sum(blobs.get(layer, {}).values()),
                kept=sum(size for digest, size in blobs.get(layer, {}).items() if digest in by_image),
                in_use=str(layer) in leased,
                keys=tuple(each.key for each in ending[layer]),
            )
            for layer, chain, diff_id, created_ns in rows
        ]

    def _mount(self, row: MountRow) -> CacheEntry:
        where = f" for {row.platform}" if row.platform else ""
        return CacheEntry(
            id=mount_id(row.name),
            kind=MOUNT_KIND,
            description=f"{row.description}{where}"
            if row.description
            else "cached mount of an unknown build",
            created_at=row.created_at,
            used_at=row.used_at,
            uses=row.uses,
            size=row.size or 0,
            in_use=self._mounts.in_use(row.name),
            mutable=True,
        )

    def _index_sizes(self) -> Mapping[str, int]:
        with os.scandir(self._indexes) as files:
            return {file.name: file.stat(follow_symlinks=False).st_blocks * 512 for file in files}


def mount_id(name: str) -> str:
    """What lists call the mount in the directory `name`; a number at its end tells private ones apart."""
    digits, separator, number = name.partition("-")
    return digits[:_SHOWN] + separator + number


def _newest(records: Iterable[Record]) -> Record:
    return max(records, key=lambda record: record.used_at)


def _unrecorded(chain: Digest | None, diff_id: Digest | None, *, named: bool) -> str:
    if chain is not None:
        return f"layer of a base image, {diff_id}"
    return "layer that records stand on" if named else "layer without a record"
