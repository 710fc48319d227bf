"""The state root: where everything that dockyard keeps lives, and who may look at it.

Layers hold other people's files with their setuid bits, so nobody but the owner may come in (mode 0700). The
mode is checked at each start, because what another program widened stays wide until somebody looks.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

import msgspec

from builder.store.errors import StoreError

_PRIVATE: Final = 0o700
_DATABASE: Final = "dockyard.db"
SETTINGS: Final = "dockyard.toml"


class Root(msgspec.Struct, frozen=True):
    """The places below a state root."""

    path: Path

    @property
    def database(self) -> Path:
        """The database of all rooms."""
        return self.path / _DATABASE

    @property
    def blobs(self) -> Path:
        """Committed blobs, by the hexadecimal digits of their digest."""
        return self.path / "content" / "blobs" / "sha256"

    @property
    def ingests(self) -> Path:
        """Blobs that are being written, each named after the lease that it is written under."""
        return self.path / "content" / "ingest"

    @property
    def leases(self) -> Path:
        """One locked file for each lease whose owner lives."""
        return self.path / "leases"

    @property
    def settings(self) -> Path:
        """What people want of this state root; they write the file, if there is one."""
        return self.path / SETTINGS

    def blob(self, hexdigest: str) -> Path:
        """The file of one blob."""
        return self.path / "content" / "blobs" / "sha256" / hexdigest


def open_root(path: Path) -> Root:
    """Makes the state root and what is missing of it.

    Raises: StoreError when it cannot be made, belongs to somebody else, or is a directory of other things.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=_PRIVATE, exist_ok=True)
        _require_private(path)
        root = Root(path.resolve())
        for directory in (root.blobs, root.ingests, root.leases):
            directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot use the state root {path}: {error.strerror}",
            hint="name another one with --root or DOCKYARD_ROOT",
        ) from error
    return root


def _require_private(path: Path) -> None:
    found = path.stat()
    if found.st_uid != os.geteuid():
        raise StoreError(
            f"the state root {path} belongs to user {found.st_uid}, not to you ({os.geteuid()})",
            hint="name another one with --root or DOCKYARD_ROOT",
        )
    if stat.S_IMODE(found.st_mode) & 0o077 == 0:
        return
    entries = [name for name in os.listdir(path) if name != SETTINGS]
    if entries and _DATABASE not in entries:
        raise StoreError(
            f"{path} is open to others and holds other things: it is no state root",
            hint="name an empty or a new directory with --root or DOCKYARD_ROOT",
        )
    path.chmod(_PRIVATE)
