"""Which entries of the cache go, and in which order. Pure: entries and sizes in, ids out.

The rules are BuildKit's (cache/manager.go, `Prune`): what is in use stays; without `all` so do
internal records and those that images share; a goal in bytes follows from the three sizes; and what goes first is
ranked by its last use and by how often it was used, both together. What others stand on goes after them.
"""

from __future__ import annotations

import heapq
from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from builder.cache.filters import any_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.cache.entries import CacheEntry
    from builder.cache.filters import Filter

_KEPT_WITHOUT_ALL: Final = ("internal", "frontend")


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What may go. Sizes in bytes, 0: no such wish; `keep_seconds`: what was used within them stays.

    `filters`: one of them must match. Without any of the three sizes everything that may go goes.
    """

    all: bool = False
    filters: tuple[str, ...] = ()
    keep_seconds: float = 0
    reserved: int = 0
    max_used: int = 0
    min_free: int = 0


class Disk(msgspec.Struct, frozen=True):
    """The file system of the state root, in bytes."""

    size: int
    free: int


def goal(policy: Policy, used: int, disk: Disk) -> int | None:
    """How many bytes may stay of the `used` ones; None: no size was wished for.

    A disk with less than `min_free` lowers the goal by what is missing; `reserved` is never gone below.
    """
    if not (policy.reserved or policy.max_used or policy.min_free):
        return None
    wanted = policy.max_used
    missing = policy.min_free - disk.free
    if missing > 0:
        wanted = min(wanted or used, used - missing)
    elif not (policy.max_used or policy.reserved):
        return used
    return max(wanted, policy.reserved)


def choose(
    entries: Sequence[CacheEntry], policy: Policy, *, now: float, disk: Disk
) -> tuple[CacheEntry, ...]:
    """The entries that go under `policy`, in the order in which they go."""
    used = sum(entry.size - entry.kept for entry in entries)
    target = goal(policy, used, disk)
    chosen: list[CacheEntry] = []
    matches = any_of(policy.filters)
    removal = _Removal(entries, [entry for entry in entries if _may_go(entry, policy, matches, now)])
    while target is None or used > target:
        following = removal.next()
        if following is None:
            break
        entry, freed = following
        chosen.append(entry)
        used -= freed
    return tuple(chosen)


class _Removal:
    """Takes `candidates` away one by one, those that nothing stands on first."""

    def __init__(self, entries: Sequence[CacheEntry], candidates: Sequence[CacheEntry]) -> None:
        self._entries = {entry.id: entry for entry in entries}
        self._children = Counter(parent for entry in entries for parent in entry.parents)
        self._ranks = _ranks(candidates)
        self._ready = [(rank, id_) for id_, rank in self._ranks.items() if not self._children[id_]]
        heapq.heapify(self._ready)

    def next(self) -> tuple[CacheEntry, int] | None:
        """The entry that goes now, and the bytes that come free with it; None when no more may go."""
        if not self._ready:
            return None
        _, id_ = heapq.heappop(self._ready)
        entry = self._entries[id_]
        return entry, entry.size - entry.kept + self._release(entry)

    def _release(self, entry: CacheEntry) -> int:
        """Notes that `entry` needs its parents no more; returns the bytes of those that go with it."""
        freed, pending = 0, list(entry.parents)
        while pending:
            id_ = pending.pop()
            self._children[id_] -= 1
            parent = self._entries.get(id_)
            if self._children[id_] or parent is None:
                continue
            if id_ in self._ranks:
                heapq.heappush(self._ready, (self._ranks[id_], id_))
            elif not (parent.keys or parent.in_use):
                # A layer of a base image, which was there for what stood on it.
                freed += parent.size - parent.kept
                pending.extend(parent.parents)
        return freed


def _may_go(entry: CacheEntry, policy: Policy, matches: Filter, now: float) -> bool:
    if entry.in_use or not (entry.keys or entry.mutable):
        return False
    if not policy.all and (entry.kind in _KEPT_WITHOUT_ALL or entry.shared):
        return False
    if policy.keep_seconds and entry.used_at is not None and now - entry.used_at < policy.keep_seconds:
        return False
    return matches(entry)


def _ranks(entries: Sequence[CacheEntry]) -> dict[str, tuple[float, float]]:
    """The lowest goes first: by last use, never used first, and by number of uses, each from 0 to 1."""
    by_time = sorted(entries, key=lambda entry: entry.used_at or 0)
    times = {entry.id: position for position, entry in enumerate(by_time)}
    counts = {uses: position for position, uses in enumerate(sorted({entry.uses for entry in entries}))}
    last = max(len(entries) - 1, 1)
    most = max(len(counts) - 1, 1)
    return {
        entry.id: (times[entry.id] / last + counts[entry.uses] / most, entry.used_at or 0)
        for entry in entries
    }
