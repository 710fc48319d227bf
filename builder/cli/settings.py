"""What holds for every command: the state root and how much to say about errors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from pathlib import Path

    from builder.store.protocol import Store


class RootRequired(DockyardError):
    """The command needs rights that only root has."""


class Settings(NamedTuple):
    """The group's own options, resolved. Not a struct: `--version` shall not wait for msgspec."""

    root: Path
    debug: bool = False


def open_images(settings: Settings) -> Store:
    """The store where people's images are; CONTAINERD_ADDRESS goes before the daemon that was chosen.

    The caller closes it. Raises: StoreError, UsageError.
    """
    from builder.store.selection import environment_address, open_selected

    return open_selected(settings.root, address=environment_address(os.environ))


def require_root(command: str) -> None:
    """Raises: RootRequired, unless this process may mount file systems and start containers."""
    if os.geteuid() != 0:
        raise RootRequired(
            f"dockyard {command} must run as root: it mounts file systems and starts containers",
            hint=f"try: sudo dockyard {command}",
        )
