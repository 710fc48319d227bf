"""Pruning: what a policy chooses goes, however many builds are running meanwhile.

Records go in one transaction that looks at leases once more; a build that asks for one of them before has a lease
on its layers, and one that asks later finds nothing. Files are the collector's to remove, and it frees them only
when nothing else keeps them. Because several layers may share a blob, what comes free is known only then; so a goal
in bytes is looked at again, until it is met or nothing more may go.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from builder.cache.entries import CacheEntry
from builder.cache.inventory import mount_id
from builder.cache.policy import Policy, choose
from builder.oci.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from builder.cache.inventory import Inventory
    from builder.cache.mounts import CacheMounts
    from builder.cache.policy import Disk
    from builder.cache.records import CacheRecords
    from builder.store.database import Database


class Pruned(msgspec.Struct, frozen=True):
    """The entries that went, in that order, and how many bytes the cache takes less."""

    entries: tuple[CacheEntry, ...]
    freed: int


class Pruner:
    """Removes entries of one state root. `collect` removes the files of what nothing keeps any more."""

    def __init__(
        self,
        database: Database,
        records: CacheRecords,
        mounts: CacheMounts,
        inventory: Inventory,
        *,
        collect: Callable[[], object],
        disk: Callable[[], Disk],
    ) -> None:
        self._database = database
        self._records = records
        self._mounts = mounts
        self._inventory = inventory
        self._collect = collect
        self._disk = disk

    def prune(self, policies: Sequence[Policy], *, keep: frozenset[str] = frozenset()) -> Pruned:
        """Applies the policies one after the other; entries with an id in `keep` stay. Raises: DockyardError."""
        before = entries = self._inventory.entries()
        gone: dict[str, CacheEntry] = {}
        for policy in policies:
            while chosen := self._choose(entries, policy, keep):
                self._remove(chosen)
                self._collect()
                left = self._inventory.entries()
                here = {entry.id for entry in left}
                went = {entry.id: entry for entry in entries if entry.id not in here}
                gone |= went
                entries = left
                if not went:
                    break
        known = {entry.id for entry in before}
        freed = _own(before) - _own(entry for entry in entries if entry.id in known)
        return Pruned(tuple(gone.values()), max(freed, 0))

    def _choose(
        self, entries: Sequence[CacheEntry], policy: Policy, keep: frozenset[str]
    ) -> tuple[CacheEntry, ...]:
        held = [
            msgspec.structs.replace(entry, in_use=True) if entry.id in keep else entry for entry in entries
        ]
        return choose(held, policy, now=time.time(), disk=self._disk())

    def _remove(self, chosen: Sequence[CacheEntry]) -> None:
        wanted = {entry.id for entry in chosen if entry.mutable}
        for row in self._mounts.all() if wanted else ():
            if mount_id(row.name) in wanted:
                with self._mounts.remove(row.name):
                    pass
        with self._database.write():
            leased = self._inventory.leased_layers().keys()
            self._records.delete(
                Digest(key) for entry in chosen if entry.id not in leased for key in entry.keys
            )


def _own(entries: Iterable[CacheEntry]) -> int:
    return sum(entry.size - entry.kept for entry in entries)
