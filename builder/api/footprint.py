"""What a state root takes on the disk, so that a limit can be held against it.

What is finished was recorded when it was made, and is summed up. What is being written is measured where it lies,
by whoever writes it, for all builds on the root.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from builder.api.workspace import layer_paths
from builder.snapshot.treesizes import disk_usage

if TYPE_CHECKING:
    from builder.api.caching import Cache
    from builder.store.root import Root

_SHARE: Final = 10
"""Of so many seconds, one may be spent on measuring."""


class Footprint(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes by kind.

    `kept`: blobs, trees, path indexes and cache mounts; `unfinished`: what steps and downloads have written until
    now; `database`: with its log.
    """

    kept: int
    unfinished: int
    database: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.kept + self.unfinished + self.database


class Unfinished:
    """Measures what is being written below a state root: uppers of steps, trees and blobs that are not complete."""

    def __init__(self, root: Root) -> None:
        self._places = (layer_paths(root.path).work, root.ingests)
        self._size = 0
        self._again = 0.0

    def recent(self) -> int:
        """Bytes, not measured so often that measuring would slow steps down."""
        return self.now() if time.monotonic() >= self._again else self._size

    def now(self) -> int:
        """Bytes, measured now."""
        begun = time.monotonic()
        self._size = sum(map(disk_usage, self._places))
        ended = time.monotonic()
        self._again = ended + _SHARE * (ended - begun)
        return self._size


def footprint(cache: Cache, unfinished: int) -> Footprint:
    """What the state root of `cache` takes; `unfinished` is what has been measured of that."""
    blobs = cache.store.database.read(
        "SELECT COALESCE(SUM(size), 0) FROM (SELECT DISTINCT digest, size FROM content)"
    )
    return Footprint(
        kept=int(blobs[0][0]) + cache.inventory.files_size(),
        unfinished=unfinished,
        database=cache.store.database.disk_usage(),
    )
