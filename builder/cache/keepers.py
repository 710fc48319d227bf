"""What keeps an entry of the cache: images, running builds, records that stand on it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from builder.snapshot.layerdb import LayerID
from builder.store.gc import kept_by_images

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from builder.cache.entries import CacheEntry
    from builder.cache.inventory import Inventory
    from builder.store.database import Database


def keepers(
    entry: CacheEntry, entries: Sequence[CacheEntry], database: Database, inventory: Inventory
) -> tuple[str, ...]:
    """A sentence for each; nothing when pruning may take the entry."""
    if entry.mutable:
        return ("a command that is running uses it",) if entry.in_use else ()
    return (
        *_images(entry, database, inventory),
        *_leases(entry, database, inventory),
        *(
            f"record {child.id} stands on it: {child.description}"
            for child in entries
            if entry.id in child.parents
        ),
    )


def _images(entry: CacheEntry, database: Database, inventory: Inventory) -> Iterator[str]:
    blobs = inventory.layer_blobs().get(LayerID(int(entry.id)), {}).keys()
    for name, reached in kept_by_images(database).items():
        for blob in sorted(blobs & reached):
            yield f"image {name} has its blob {blob}"


def _leases(entry: CacheEntry, database: Database, inventory: Inventory) -> Iterator[str]:
    since = dict(database.read("SELECT id, created_at FROM leases"))
    for lease in inventory.leased_layers().get(entry.id, ()):
        if lease in since:
            start = datetime.fromtimestamp(since[lease], UTC)
            yield f"a build or container that runs since {start:%Y-%m-%d %H:%M:%S} UTC uses it (lease {lease})"
