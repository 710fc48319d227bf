"""The build cache of a state root, to look at and to prune."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from builder.api.storage import collect_in
from builder.api.workspace import SCHEMAS, cache_mounts, layer_paths
from builder.cache.filters import any_of
from builder.cache.inventory import Inventory
from builder.cache.policy import Disk, Policy
from builder.cache.pruning import Pruned, Pruner
from builder.cache.records import CacheRecords
from builder.snapshot.treesizes import TreeSizes
from builder.store.leases import Leases
from builder.store.selection import open_store
from builder.system.errors import DockyardError
from builder.system.locks import KeyLocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from builder.cache.entries import CacheEntry
    from builder.cache.mounts import CacheMounts
    from builder.store.embedded import EmbeddedStore


class NoSuchEntry(DockyardError):
    """The cache has no entry of that name."""


class Cache(NamedTuple):
    """The parts of a state root's cache."""

    store: EmbeddedStore
    mounts: CacheMounts
    inventory: Inventory
    pruner: Pruner


@contextmanager
def open_cache(root: Path) -> Iterator[Cache]:
    """The cache of the state root `root`. Raises: StoreError."""
    with open_store(root, schemas=SCHEMAS) as store:
        yield cache_of(store)


def cache_of(store: EmbeddedStore) -> Cache:
    """The cache in the state root of `store`, whose tables are there."""
    records, paths = CacheRecords(store.database), layer_paths(store.root.path)
    mounts = cache_mounts(store, KeyLocks(store.root.path / "locks"), threading.Event())
    sizes = TreeSizes(store.database, paths.trees)
    inventory = Inventory(store.database, records, mounts, sizes, paths.indexes)
    pruner = Pruner(
        store.database,
        records,
        mounts,
        inventory,
        collect=lambda: collect_in(store),
        disk=lambda: disk_of(store.root.path),
    )
    return Cache(store, mounts, inventory, pruner)


def disk_of(path: Path) -> Disk:
    """The file system that `path` is on."""
    found = os.statvfs(path)
    return Disk(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)


def cache_usage(
    root: Path, *, filters: Sequence[str] = (), unused_seconds: float = 0
) -> tuple[CacheEntry, ...]:
    """What the cache holds that one of `filters` matches and nobody used for so long; largest first.

    Raises: StoreError, UsageError for a filter that cannot be read.
    """
    matches = any_of(filters)
    with open_cache(root) as cache:
        found = cache.inventory.entries()
    now = time.time()
    old = [entry for entry in found if now - (entry.used_at or 0) >= unused_seconds or not unused_seconds]
    return tuple(sorted(filter(matches, old), key=lambda entry: (-entry.size, entry.id)))


def prune_cache(root: Path, policy: Policy) -> Pruned:
    """Removes what `policy` lets go, and what nothing keeps then. Safe while builds are running.

    Raises: StoreError, UsageError for a filter that cannot be read.
    """
    any_of(policy.filters)
    with open_cache(root) as cache:
        return cache.pruner.prune([policy])


def explain_entry(root: Path, name: str) -> tuple[CacheEntry, tuple[str, ...]]:
    """The entry whose id is `name` or begins so, and what keeps it, a sentence each; nothing when it may go.

    Raises: NoSuchEntry, StoreError.
    """
    from builder.cache.keepers import keepers

    with open_cache(root) as cache:
        Leases(cache.store.root, cache.store.database).end_dead()
        entries = cache.inventory.entries()
        entry = _named(entries, name)
        return entry, keepers(entry, entries, cache.store.database, cache.inventory)


def _named(entries: Sequence[CacheEntry], name: str) -> CacheEntry:
    exact = [entry for entry in entries if entry.id == name]
    found = exact or [entry for entry in entries if entry.mutable and entry.id.startswith(name)]
    if len(found) != 1 or not name:
        what = f"several entries of the cache begin with {name!r}" if found else f"no cache entry {name!r}"
        raise NoSuchEntry(what, hint="`dockyard cache du` lists them")
    return found[0]
