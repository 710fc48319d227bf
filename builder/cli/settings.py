"""What holds for every command: the state root and how much to say about errors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from collections.abc import Mapping

_SYSTEM_ROOT: Final = Path("/var/lib/dockyard")


class RootRequired(DockyardError):
    """The command needs rights that only root has."""


class Settings(NamedTuple):
    """The group's own options, resolved. Not a struct: `--version` shall not wait for msgspec."""

    root: Path
    debug: bool = False


def default_root(environ: Mapping[str, str], *, uid: int) -> Path:
    """Where state is kept unless `--root` or DOCKYARD_ROOT say otherwise: one place for root, one a user."""
    if uid == 0:
        return _SYSTEM_ROOT
    data = environ.get("XDG_DATA_HOME", "")
    # The XDG specification tells readers to ignore relative paths.
    base = Path(data) if data.startswith("/") else Path(environ.get("HOME", "/")) / ".local/share"
    return base / "dockyard"


def require_root(command: str) -> None:
    """Raises: RootRequired, unless this process may mount file systems and start containers."""
    if os.geteuid() != 0:
        raise RootRequired(
            f"dockyard {command} must run as root: it mounts file systems and starts containers",
            hint=f"try: sudo dockyard {command}",
        )
