"""Cache mounts: directories that commands keep from one build to the next.

They belong to no layer and no record, and `--no-cache` leaves them alone. What a Dockerfile calls them is only
ever hashed: a name like `../..` is a name like any other (CVE-2024-9675). A directory gets its name when it is
complete, so a build that was killed leaves none that is half filled. Whoever uses one shares a lock that whoever
wants to remove it must have alone.
"""

from __future__ import annotations

import itertools
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

import msgspec

from builder.cache.mounttable import MountRow
from builder.cache.trimming import trim
from builder.oci.digest import Digest, encode_json
from builder.snapshot.treesizes import disk_usage
from builder.system.removal import clear_away

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from builder.cache.mounttable import MountTable
    from builder.graph.mounts import CacheMount
    from builder.platforms import Platform
    from builder.system.locks import CancelToken, KeyLocks

Scope: TypeAlias = Literal["id", "platform", "shared"]
"""Whether platforms share a cache: as its id says (see `mount_platform`), never, always."""

Put: TypeAlias = Literal["put", "newer", "in use"]
"""What became of a cache that was to be put in place: it is, or the one that is there stays, and why."""

_GONE: Final = ".removed-"


class Maker(Protocol):
    """Makes a new cache."""

    def __call__(self) -> Path:
        """A directory on the file system of the caches, with what a new cache holds; it is renamed then."""
        ...


class MountUse(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants a cache: what is to be shown of it in lists, and whether it may be written.

    `platform` is empty for a cache that all platforms share.
    """

    name: str
    platform: str = ""
    description: str = ""


def mount_platform(mount: CacheMount, platform: Platform, scope: Scope) -> str:
    """The platform whose own cache `mount` is; empty for one that all share.

    By its id: one that was given is shared, as everywhere; the one that a mount has without, its target, says
    nothing of who may share it, and compilers and package managers keep there what fits one architecture.
    """
    _, separator, path = mount.id.partition("//")
    is_named = not (separator and f"{mount.target}/".endswith(f"/{path}/"))
    return "" if scope == "shared" or (scope == "id" and is_named) else str(platform)


def cache_name(mount: CacheMount, content: Digest | None, platform: str = "") -> str:
    """The name of the directory of `mount`; `content` is what it begins with, None for nothing.

    Caches of one id that begin differently are different caches, and so are those of each `platform`.
    """
    parts = [mount.id, content, mount.mode, mount.uid, mount.gid, *([platform] if platform else [])]
    return Digest.of(encode_json(parts)).partition(":")[2]


class CacheMounts:
    """The caches of a state root, shared with all processes that use it."""

    def __init__(
        self,
        directory: Path,
        table: MountTable,
        locks: KeyLocks,
        cancelled: CancelToken,
        *,
        largest: int | None = None,
    ) -> None:
        """`directory` is made if it is missing.

        A cache that has grown beyond `largest` bytes loses its oldest files before it is used again.
        """
        self._directory = directory
        self._table = table
        self._locks = locks
        self._cancelled = cancelled
        self._largest = largest

    @contextmanager
    def use(
        self, mount: CacheMount, use: MountUse, make: Maker, *, on_wait: Callable[[], None]
    ) -> Iterator[Path]:
        """The directory `use.name` for as long as the block lasts, shared as `mount` says.

        `on_wait` is called when another command has it and must end first. Raises: Cancelled, OSError, and what
        `make` raises.
        """
        match mount.sharing:
            case "shared":
                with self._used(mount, use, make) as path:
                    yield path
            case "locked":
                with (
                    self._locks.hold(f"cache mount {use.name}", cancelled=self._cancelled, on_wait=on_wait),
                    self._used(mount, use, make) as path,
                ):
                    yield path
            case "private":
                with (
                    self._own(use.name) as own,
                    self._used(mount, msgspec.structs.replace(use, name=own), make) as path,
                ):
                    yield path

    @contextmanager
    def look(
        self, mount: CacheMount, use: MountUse, make: Maker, *, on_wait: Callable[[], None]
    ) -> Iterator[Path]:
        """The directory `use.name` to read only, for as long as the block lasts.

        A cache that is not there yet is what `make` makes, and is not kept. A locked one has no writer meanwhile.
        Raises as `use`.
        """
        with (
            self._locks.share(self._in_use(use.name), cancelled=self._cancelled),
            self._quiet(mount, use.name, on_wait),
        ):
            path = self._directory / use.name
            yield path if path.is_dir() else make()

    @contextmanager
    def remove(self, name: str) -> Iterator[bool]:
        """Takes the cache away unless somebody uses it, and says whether it did; gone when the block ends."""
        with self._locks.hold_if_free(self._in_use(name)) as is_ours:
            if is_ours:
                self._table.delete([name])
                gone = self._directory / f"{_GONE}{name}"
                if (self._directory / name).is_dir():
                    clear_away(gone)
                    os.rename(self._directory / name, gone)
            yield is_ours
        if is_ours:
            clear_away(self._directory / f"{_GONE}{name}")

    @contextmanager
    def hold(self, names: Iterable[str]) -> Iterator[Mapping[str, Path]]:
        """Directories of those caches that nobody uses now, and nobody will during the block, by name.

        A command that wants one meanwhile waits.
        """
        locks = {name: self._in_use(name) for name in names}
        with self._locks.hold_those_free(locks.values()) as ours:
            paths = {name: self._directory / name for name, lock in locks.items() if lock in ours}
            yield {name: path for name, path in paths.items() if path.is_dir()}

    def put(self, row: MountRow, path: Path, *, force: bool) -> Put:
        """Makes the directory `path` the cache that `row` describes, in place of the one that is there.

        One that was used later than `row` says stays, unless `force`; one that somebody uses stays in any case.
        Raises: OSError.
        """
        with self._locks.hold_if_free(self._in_use(row.name)) as is_ours:
            if not is_ours:
                return "in use"
            place, gone = self._directory / row.name, self._directory / f"{_GONE}{row.name}"
            if place.is_dir():
                if not force and self._used_at(place) > row.used_at:
                    return "newer"
                clear_away(gone)
                os.rename(place, gone)
            self._directory.mkdir(mode=0o700, exist_ok=True)
            try:
                os.rename(path, place)
            except OSError:
                if gone.is_dir():
                    os.rename(gone, place)
                raise
            self._table.delete([row.name])
            self._table.add(row)
        clear_away(gone)
        return "put"

    def in_use(self, name: str) -> bool:
        """Whether a command uses the cache at this moment."""
        with self._locks.hold_if_free(self._in_use(name)) as is_free:
            return not is_free

    def all(self) -> tuple[MountRow, ...]:
        """Every cache that is there, measured; least recently used first.

        Rows without a directory go, directories without a row get one, and what a killed removal left is removed.
        """
        # The rows first: a cache that somebody makes meanwhile has a directory before it has a row.
        rows = {row.name: row for row in self._table.all()}
        names = {path.name for path in self._directory.iterdir()} if self._directory.is_dir() else set()
        for name in [each for each in names if each.startswith(_GONE)]:
            clear_away(self._directory / name)
            names.remove(name)
        self._table.delete(rows.keys() - names)
        for name in names - rows.keys():
            made = (self._directory / name).stat().st_mtime
            self._table.add(MountRow(name=name, id="", created_at=made, used_at=made))
        return tuple(map(self._measured, self._table.all()))

    def _used_at(self, place: Path) -> float:
        known = [row.used_at for row in self._table.all() if row.name == place.name]
        return known[0] if known else place.stat().st_mtime

    def _measured(self, row: MountRow) -> MountRow:
        if row.size is not None:
            return row
        size = disk_usage(self._directory / row.name)
        if not self.in_use(row.name):
            self._table.set_size(row, size)
        return msgspec.structs.replace(row, size=size)

    @contextmanager
    def _used(self, mount: CacheMount, use: MountUse, make: Maker) -> Iterator[Path]:
        now = time.time()
        row = MountRow(
            name=use.name,
            id=mount.id,
            platform=use.platform,
            sharing=mount.sharing,
            description=use.description,
            created_at=now,
            used_at=now,
        )
        self._trim(use.name)
        with self._locks.share(self._in_use(use.name), cancelled=self._cancelled):
            path = self._made(use.name, make)
            self._table.begin_use(row)
            try:
                yield path
            finally:
                self._table.end_use(use.name)

    def _trim(self, name: str) -> None:
        if self._largest is None or not (self._directory / name).is_dir():
            return
        with self._locks.hold_if_free(self._in_use(name)) as is_ours:
            # Who shares it with somebody finds it as that one has it.
            if is_ours:
                trim(self._directory / name, self._largest)

    @contextmanager
    def _quiet(self, mount: CacheMount, name: str, on_wait: Callable[[], None]) -> Iterator[None]:
        if mount.sharing != "locked":
            yield
            return
        with self._locks.hold(f"cache mount {name}", cancelled=self._cancelled, on_wait=on_wait):
            yield

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

    @staticmethod
    def _in_use(name: str) -> str:
        return f"cache mount {name} in use"
