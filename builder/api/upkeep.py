"""Upkeep of a state root: room before steps, and collection after builds.

A limit is looked at before everything that writes, so it is exceeded by no more than what is being written.
Policies are applied at the end of a build, at most once a minute, and only when sums that are cheap to have say
that one of them could do something. What that takes is loaded then: most builds end within the minute.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Final

from builder.progress.units import format_size
from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from builder.api.caching import Cache
    from builder.cache.policy import Disk, Policy
    from builder.cache.settings import Settings
    from builder.store.embedded import EmbeddedStore

_PAUSE: Final = 60
"""Seconds between two collections, at least."""
_STAMP: Final = "collected"


class DiskLimitReached(DockyardError):
    """The state root takes all that it may, and nothing of it can go."""


class DiskLimit:
    """Keeps a state root below `limit` bytes. Safe to share between threads."""

    def __init__(self, store: EmbeddedStore, limit: int) -> None:
        self._store = store
        self._limit = limit
        self._guard = threading.Lock()

    def make_room(self) -> None:
        """Removes what is least valuable until the state root is within its limit.

        Raises: DiskLimitReached with what keeps the rest.
        """
        from builder.api.caching import cache_of

        with self._guard:
            cache = cache_of(self._store)
            used = footprint(cache)
            if used <= self._limit:
                return
            used = shrink(cache, used, self._limit)
            if used > self._limit:
                raise DiskLimitReached(_full(cache, used, self._limit), hint=_HINT)


_HINT: Final = (
    "raise --max-disk, or remove images (`dockyard rmi`); "
    "`dockyard cache du --why ID` says what keeps an entry"
)


def footprint(cache: Cache) -> int:
    """Bytes that the state root takes, from what was recorded when it was made; steps that run are not in it."""
    content = cache.store.database.read(
        "SELECT COALESCE(SUM(size), 0) FROM (SELECT DISTINCT digest, size FROM content)"
    )
    return int(content[0][0]) + cache.inventory.files_size()


def shrink(cache: Cache, used: int, limit: int) -> int:
    """Removes entries of the cache until no more than `limit` bytes of the root are left; returns how many are."""
    from builder.cache.policy import Policy

    own = sum(entry.size - entry.kept for entry in cache.inventory.entries())
    # The goal of nothing is no goal, so the least that can be aimed at is one byte.
    cache.pruner.prune([Policy(all=True, max_used=max(own - (used - limit), 1))])
    return footprint(cache)


def max_disk(store: EmbeddedStore, wanted: int | None) -> int | None:
    """The limit that counts: what the caller wants, else what the state root's settings say. Raises: StoreError."""
    if wanted is not None or not store.root.settings.exists():
        return wanted
    return settings_of(store).max_disk


def tend(store: EmbeddedStore, limit: int | None) -> None:
    """What is done at the end of a build. Raises: StoreError."""
    if limit is None and not _is_due(store):
        return
    from builder.api.caching import cache_of, disk_of

    cache = cache_of(store)
    if limit is not None:
        used = footprint(cache)
        if used > limit:
            shrink(cache, used, limit)
            return
    disk = disk_of(store.root.path)
    policies = settings_of(store).policies
    if any(_could_act(policy, cache, disk) for policy in policies):
        cache.pruner.prune(policies)


def settings_of(store: EmbeddedStore) -> Settings:
    """The settings of a state root. Raises: StoreError."""
    from builder.api.caching import disk_of
    from builder.cache.settings import read_settings

    return read_settings(store.root.path, disk_of(store.root.path))


def _is_due(store: EmbeddedStore) -> bool:
    stamp = store.root.path / _STAMP
    now = time.time()
    try:
        if 0 <= now - stamp.stat().st_mtime < _PAUSE:
            return False
        os.utime(stamp)
    except FileNotFoundError:
        stamp.touch()
    return True


def _could_act(policy: Policy, cache: Cache, disk: Disk) -> bool:
    """Whether `policy` might remove something, by sums that are never too small."""
    from builder.cache.policy import goal

    if policy.keep_seconds:
        oldest = cache.store.database.read(
            "SELECT MIN(used_at) FROM (SELECT used_at FROM cache_records UNION SELECT used_at FROM cache_mounts)"
        )[0][0]
        if oldest is None or time.time() - oldest < policy.keep_seconds:
            return False
    used = footprint(cache)
    target = goal(policy, used, disk)
    return target is None or used > target


def _full(cache: Cache, used: int, limit: int) -> str:
    entries = cache.inventory.entries()
    own = sum(entry.size - entry.kept for entry in entries)
    running = sum(entry.size - entry.kept for entry in entries if entry.in_use)
    taken, allowed = format_size(used), format_size(limit)
    return (
        f"the state root takes {taken} of the {allowed} that it may, and nothing more can go: "
        f"images keep {format_size(max(used - own, 0))}, running builds {format_size(running)}"
    )
