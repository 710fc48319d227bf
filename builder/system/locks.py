"""Locks between processes: one lock for each key, all in one file.

A byte of the file stands for a key, and the kernel gives a lock up when its owner dies, however it dies; so
there is nothing to clean up and nobody waits for a dead build. The locks belong to an open file, not to a
process (F_OFD_SETLK), so threads of one process exclude each other, too.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

from builder.system.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_FIRST_WAIT: Final = 0.002
_LONGEST_WAIT: Final = 0.05
# struct flock of 64-bit Linux: type, whence, start, length, pid.
_FLOCK: Final = "hhqqi4x"


class CancelToken(Protocol):
    """What `threading.Event` offers of interest to somebody who waits."""

    def is_set(self) -> bool:
        """Whether the work is no longer wanted."""
        ...


class KeyLocks:
    """Locks by key, exclusive or shared, held across all processes that name the same file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def hold(
        self, key: str, *, cancelled: CancelToken, on_wait: Callable[[], None] | None = None
    ) -> Iterator[None]:
        """Holds the lock of `key`; calls `on_wait` once if somebody else has it at first.

        Raises: Cancelled, when that happens while waiting.
        """
        with self._held(key, fcntl.F_WRLCK, cancelled, on_wait):
            yield

    @contextmanager
    def share(self, key: str, *, cancelled: CancelToken) -> Iterator[None]:
        """Holds the lock of `key` together with others who share it; nobody holds it alone meanwhile.

        Raises: Cancelled, when that happens while waiting.
        """
        with self._held(key, fcntl.F_RDLCK, cancelled, None):
            yield

    @contextmanager
    def hold_if_free(self, key: str) -> Iterator[bool]:
        """Holds the lock of `key` unless somebody else has it; says whether it does."""
        with self.hold_those_free((key,)) as ours:
            yield key in ours

    @contextmanager
    def hold_those_free(self, keys: Iterable[str]) -> Iterator[frozenset[str]]:
        """Holds the locks of those of `keys` that nobody else has, however many, with one open file."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield frozenset(key for key in keys if _try_lock(fd, _offset(key), fcntl.F_WRLCK))
        finally:
            os.close(fd)

    @contextmanager
    def _held(
        self, key: str, kind: int, cancelled: CancelToken, on_wait: Callable[[], None] | None
    ) -> Iterator[None]:
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        offset, pause = _offset(key), _FIRST_WAIT
        try:
            while not _try_lock(fd, offset, kind):
                if on_wait is not None:
                    on_wait()
                    on_wait = None
                if cancelled.is_set():
                    raise Cancelled
                time.sleep(pause)
                pause = min(pause * 1.5, _LONGEST_WAIT)
            yield
        finally:
            os.close(fd)


def _try_lock(fd: int, offset: int, kind: int) -> bool:
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, kind, os.SEEK_SET, offset, 1, 0))
    except (BlockingIOError, PermissionError):
        return False
    return True


def _offset(key: str) -> int:
    # 62 bits: two keys that meet on one byte would only wait for each other.
    return int.from_bytes(sha256(key.encode()).digest()[:8], "big") >> 2
