"""Rights that only root has, asked for before any work."""

from __future__ import annotations

import os

from builder.system.errors import DockyardError


class RootRequired(DockyardError):
    """The command needs rights that only root has."""


def require_root(command: str) -> None:
    """Raises: RootRequired, unless this process may mount file systems and start containers."""
    if os.geteuid() != 0:
        raise RootRequired(
            f"dockyard {command} must run as root: it mounts file systems and starts containers",
            hint=f"try: sudo dockyard {command}",
        )
