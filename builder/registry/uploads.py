"""Uploads that are under way, remembered on disk: what a killed push has sent, the next one need not send again.

A registry keeps an upload open for hours; to go on with it takes nothing but its address. That is kept only if
the registry itself serves it: an address elsewhere holds a signature, which is nobody's to find. Whoever works
on an upload holds a lock, so that two pushes of the same blob do not write into one.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from builder.oci.descriptor import Descriptor
    from builder.registry.repository import Repository

_WORTH: Final = 1 << 20
"""Bytes of a blob that is sent in no time, and not remembered."""
_FORGOTTEN_AFTER: Final = 24 * 3600.0
_LONGEST: Final = 8192


class Upload:
    """What is remembered of one upload, while its lock is held; `fd` None: nothing, and nothing is going to be."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd

    @property
    def location(self) -> str:
        """Its address, absolute; empty when none is known."""
        return "" if self._fd is None else os.pread(self._fd, _LONGEST, 0).decode("ascii", "replace")

    def remember(self, location: str) -> None:
        """Keeps the address for whoever comes next; an empty one forgets it."""
        if self._fd is not None and len(location) < _LONGEST and location.isascii():
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, location.encode(), 0)


class Uploads:
    """The uploads of all pushes from one state root; `folder` None remembers nothing."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    @contextmanager
    def hold(self, repository: Repository, blob: Descriptor) -> Iterator[Upload]:
        """What is remembered of sending `blob` to `repository`; done when the block ends, not when it raises.

        If somebody else is sending it at this moment, nothing is remembered. Raises: OSError.
        """
        if self._folder is None or blob.size < _WORTH:
            yield Upload(None)
            return
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / sha256(f"{repository.name}@{blob.digest}".encode()).hexdigest()
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if not _locked(fd):
                yield Upload(None)
                return
            _forget_old(self._folder)
            yield Upload(fd)
            path.unlink(missing_ok=True)
        finally:
            os.close(fd)


def _locked(fd: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _forget_old(folder: Path) -> None:
    """Removes what nobody came back for; its registry has forgotten it, too, or will have."""
    oldest = time.time() - _FORGOTTEN_AFTER
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                path.unlink()
