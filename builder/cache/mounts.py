"""Cache mounts: directories that commands keep from one build to the next.

They belong to no layer and no record, and `--no-cache` leaves them alone. What a Dockerfile calls them is only
ever hashed: a name like `../..` is a name like any other (CVE-2024-9675). A directory gets its name when it is
complete, so a build that was killed leaves none that is half filled.
"""

from __future__ import annotations

import itertools
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from builder.oci.digest import Digest, encode_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from builder.graph.mounts import CacheMount
    from builder.system.locks import CancelToken, KeyLocks


class Maker(Protocol):
    """Makes a new cache."""

    def __call__(self) -> Path:
        """A directory on the file system of the caches, with what a new cache holds; it is renamed then."""
        ...


def cache_name(mount: CacheMount, content: Digest | None) -> str:
    """The name of the directory of `mount`; `content` is what it begins with, None for nothing.

    Caches of one id that begin differently are different caches.
    """
    return Digest.of(encode_json([mount.id, content, mount.mode, mount.uid, mount.gid])).partition(":")[2]


class CacheMounts:
    """The caches of a state root, shared with all processes that use it."""

    def __init__(self, directory: Path, locks: KeyLocks, cancelled: CancelToken) -> None:
        """`directory` is made if it is missing."""
        self._directory = directory
        self._locks = locks
        self._cancelled = cancelled

    @contextmanager
    def use(
        self, mount: CacheMount, name: str, make: Maker, *, on_wait: Callable[[], None]
    ) -> Iterator[Path]:
        """The directory `name` for as long as the block lasts, shared as `mount` says.

        `on_wait` is called when another command has it and must end first. Raises: Cancelled, OSError, and what
        `make` raises.
        """
        match mount.sharing:
            case "shared":
                yield self._made(name, make)
            case "locked":
                with self._locks.hold(f"cache mount {name}", cancelled=self._cancelled, on_wait=on_wait):
                    yield self._made(name, make)
            case "private":
                with self._own(name) as own:
                    yield self._made(own, make)

    @contextmanager
    def _own(self, name: str) -> Iterator[str]:
        for number in itertools.count():
            candidate = f"{name}-{number}" if number else name
            with self._locks.hold_if_free(f"cache mount {candidate}") as is_ours:
                if is_ours:
                    yield candidate
                    return

    def _made(self, name: str, make: Maker) -> Path:
        path = self._directory / name
        if not path.is_dir():
            with self._locks.hold(f"cache mount {name} made", cancelled=self._cancelled):
                if not path.is_dir():
                    self._directory.mkdir(mode=0o700, exist_ok=True)
                    os.rename(make(), path)
        return path
