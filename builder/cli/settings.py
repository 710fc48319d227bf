"""What holds for every command: the state root and how much to say about errors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from pathlib import Path


class RootRequired(DockyardError):
    """The command needs rights that only root has."""


class Settings(NamedTuple):
    """The group's own options, resolved. Not a struct: `--version` shall not wait for msgspec."""

    root: Path
    debug: bool = False


def require_root(command: str) -> None:
    """Raises: RootRequired, unless this process may mount file systems and start containers."""
    if os.geteuid() != 0:
        raise RootRequired(
            f"dockyard {command} must run as root: it mounts file systems and starts containers",
            hint=f"try: sudo dockyard {command}",
        )
