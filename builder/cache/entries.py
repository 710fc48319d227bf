"""What the cache holds, as people are shown it and as policies choose from it: plain values.

An entry is a layer, with the records that end in it, or a cache mount. So shared layers count once, however many
records stand on them; and a layer can only go when everything that stands on it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

MOUNT_KIND = "exec.cachemount"


class CacheEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One layer or mount. Times in seconds since the epoch, sizes in bytes on the disk.

    `parents`: what it stands on. `size` is everything, `kept` so much of it as images of the stores keep, too, and
    which does not come free. `keys` are the records that end in the layer; without any it is there for others.
    """

    id: str
    kind: str
    description: str
    parents: tuple[str, ...] = ()
    created_at: float
    used_at: float | None = None
    uses: int = 0
    size: int
    kept: int = 0
    in_use: bool = False
    mutable: bool = False
    keys: tuple[str, ...] = ()

    @property
    def shared(self) -> bool:
        """Whether an image keeps a part of it."""
        return self.kept > 0

    @property
    def reclaimable(self) -> int:
        """Bytes that come free when it goes."""
        return 0 if self.in_use else self.size - self.kept


class Totals(msgspec.Struct, frozen=True):
    """The last lines of a list, in bytes."""

    shared: int
    private: int
    reclaimable: int
    total: int


def totals(entries: Sequence[CacheEntry]) -> Totals:
    """Sums of `entries`."""
    total = sum(entry.size for entry in entries)
    shared = sum(entry.kept for entry in entries)
    return Totals(shared, total - shared, sum(entry.reclaimable for entry in entries), total)
