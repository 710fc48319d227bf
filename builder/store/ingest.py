"""Writing one blob: to a name of its own, then checked, synced to disk, and only then given its final name.

The order is fixed: sync the file, check size and digest, rename, sync the folder, and last the row that says
the blob is here. A process killed in between leaves a file that carries its lease's id, which the next
process removes because that lease's lock is free.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

from builder.oci.digest import CHUNK, Digest
from builder.store.errors import DigestMismatch, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from builder.store.tables import Labels


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """A checked blob that waits for its final name; `path` None: the blob was in the store already."""

    digest: Digest
    size: int
    labels: dict[str, str]
    path: Path | None


class Ingest:
    """A blob that is being written, as `builder.store.protocol.Sink` describes it."""

    def __init__(
        self, path: Path, ref: str, *, has: Callable[[Digest], bool], accept: Callable[[Sealed], None]
    ) -> None:
        """`has` tells which blobs need not be written again; `accept` takes the checked one over."""
        self._path = path
        self._ref = ref
        self._has = has
        self._accept = accept
        self._sha256 = hashlib.sha256()
        self._size = 0
        self._on_its_way = 0
        self._file: BinaryIO = open(path, "xb", buffering=CHUNK)  # noqa: SIM115, PTH123 - closed by close()

    def write(self, chunk: bytes | memoryview, /) -> int:
        """Takes all of `chunk`. Raises: StoreError, for example when the disk is full."""
        with self._explained():
            self._file.write(chunk)
        self._sha256.update(chunk)
        length = chunk.nbytes if isinstance(chunk, memoryview) else len(chunk)
        self._size += length
        if self._size - self._on_its_way >= _WRITEBACK:
            self._begin_writeback()
        return length

    def _begin_writeback(self) -> None:
        """Lets the disk work while the rest of a large blob is still being made."""
        from builder.system.linux import start_writeback

        # Some file systems cannot; they lose the head start only.
        with suppress(OSError):
            start_writeback(self._file.fileno(), self._on_its_way, self._size - self._on_its_way)
        self._on_its_way = self._size

    def commit(
        self, *, expected: Digest | None = None, size: int | None = None, labels: Labels | None = None
    ) -> Digest:
        """Checks size and digest and hands the blob over.

        Raises: DigestMismatch when it is not the expected one; StoreError when it cannot be written.
        """
        digest = Digest("sha256:" + self._sha256.hexdigest())
        if size is not None and size != self._size:
            raise DigestMismatch(f"{self._ref}: {self._size} bytes came where {size} were expected")
        if expected is not None and expected != digest:
            raise DigestMismatch(f"{self._ref}: unexpected commit digest {digest}, expected {expected}")
        known = self._has(digest)
        if not known:
            with self._explained():
                self._file.flush()
                os.fsync(self._file.fileno())
                self._file.close()
        path = None if known else self._path
        self._accept(Sealed(digest=digest, size=self._size, labels=labels or {}, path=path))
        return digest

    def close(self) -> None:
        """Removes what was written, unless it has got its final name."""
        with self._explained():
            try:
                self._file.close()
            finally:
                self._path.unlink(missing_ok=True)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"cannot write {self._ref} to the store: {error.strerror}",
                hint="make room, for example with `dockyard store gc`",
            ) from error


def remove_stale(ingests: Path, alive: Callable[[str], bool]) -> int:
    """Removes what dead owners were writing; `alive` tells it of a lease's id. Returns how many files."""
    removed = 0
    for name in os.listdir(ingests):
        if not alive(lease_of(name)):
            (ingests / name).unlink(missing_ok=True)
            removed += 1
    return removed


def ingest_name(lease: str) -> str:
    """A new file name for something that is written under `lease`."""
    return f"{lease}{_SEPARATOR}{os.urandom(8).hex()}"


def lease_of(name: str) -> str:
    """The lease that a file of the ingest folder was written under."""
    return name.partition(_SEPARATOR)[0]


def sync_directory(path: Path) -> None:
    """Makes renames in `path` outlive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


_SEPARATOR: Final = "."
_WRITEBACK: Final = 8 << 20
