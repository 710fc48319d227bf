"""Where state is kept unless somebody says otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_SYSTEM_ROOT: Final = Path("/var/lib/dockyard")


def default_root(environ: Mapping[str, str], *, uid: int) -> Path:
    """The state root without `--root` and DOCKYARD_ROOT: one place for root, one for each other user."""
    if uid == 0:
        return _SYSTEM_ROOT
    data = environ.get("XDG_DATA_HOME", "")
    # The XDG specification tells readers to ignore relative paths.
    base = Path(data) if data.startswith("/") else Path(environ.get("HOME", "/")) / ".local/share"
    return base / "dockyard"
