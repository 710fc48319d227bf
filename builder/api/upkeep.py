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

from builder.api.footprint import Unfinished, footprint
from builder.api.workspace import SCHEMAS
from builder.progress.units import format_size
from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from builder.api.caching import Cache
    from builder.api.footprint import Footprint
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
        self._unfinished = Unfinished(store.root)
        self._guard = threading.Lock()

    def make_room(self) -> None:
        """Removes what is least valuable until the state root is within its limit.

        Raises: DiskLimitReached with what keeps the rest.
        """
        from builder.api.caching import cache_of

        with self._guard:
            cache = cache_of(self._store)
            if footprint(cache, self._unfinished.recent()).total <= self._limit:
                return
            used = shrink(cache, self._unfinished, self._limit)
            if used.total > self._limit:
                raise DiskLimitReached(_full(cache, used, self._limit), hint=_HINT)


_HINT: Final = (
    "raise --max-disk, or remove images (`dockyard rmi`); "
    "`dockyard cache du --why ID` says what keeps an entry"
)


def shrink(cache: Cache, unfinished: Unfinished, limit: int) -> Footprint:
    """Removes garbage, then entries of the cache, until the root takes no more than `limit` bytes.

    Returns what it takes then. Raises: StoreError.
    """
    from builder.api.storage import collect_in
    from builder.cache.policy import Policy

    collect_in(cache.store)
    used = footprint(cache, unfinished.now())
    if used.total > limit:
        own = sum(entry.size - entry.kept for entry in cache.inventory.entries())
        # The goal of nothing is no goal, so the least that can be aimed at is one byte.
        cache.pruner.prune([Policy(all=True, max_used=max(own - (used.total - limit), 1))])
        used = footprint(cache, unfinished.now())
    return used


def limited(store: EmbeddedStore, wanted: int | None, stack: ExitStack) -> Callable[[], None] | None:
    """What makes room for a build or a run; `stack` looks after the state root when it is over.

    The limit is `wanted`, else what the settings of the state root say; without one, None. Raises: StoreError.
    """
    store.database.add(*SCHEMAS)
    limit = wanted
    if limit is None and store.root.settings.exists():
        limit = settings_of(store).max_disk
    stack.callback(_tend, store, limit)
    return None if limit is None else DiskLimit(store, limit).make_room


def _tend(store: EmbeddedStore, limit: int | None) -> None:
    if limit is None and not _is_due(store):
        return
    from builder.api.caching import cache_of, disk_of

    cache = cache_of(store)
    if limit is not None:
        unfinished = Unfinished(store.root)
        if footprint(cache, unfinished.now()).total > limit:
            shrink(cache, unfinished, limit)
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
    used = footprint(cache, 0).kept
    target = goal(policy, used, disk)
    return target is None or used > target


def _full(cache: Cache, used: Footprint, limit: int) -> str:
    entries = cache.inventory.entries()
    own = sum(entry.size - entry.kept for entry in entries)
    running = sum(entry.size - entry.kept for entry in entries if entry.in_use)
    taken, allowed = format_size(used.total), format_size(limit)
    return (
        f"the state root takes {taken} of the {allowed} that it may, and nothing more can go: "
        f"images keep {format_size(max(used.kept - own, 0))}, running builds {format_size(running)}, "
        f"what is being written {format_size(used.unfinished)}, the database {format_size(used.database)}"
    )
