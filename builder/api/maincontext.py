"""The main context of a build, as the rooms that read it see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.system.values import Value

if TYPE_CHECKING:
    from pathlib import Path

    from builder.graph import Vertex
    from builder.snapshot.entry import FileView
    from builder.source.texts import BuildText

ARCHIVE: Final = "context archive"
"""The local source that an archive of the caller is read from; no named context can be called so."""


class MainContext(Value, frozen=True):
    """The main context.

    `directory` is the caller's; else `vertex` makes the files, and `files` shows them; else there is nothing.
    `dockerfile`: the file that the address itself is. `epoch`: the time of the whole, in seconds since the epoch,
    for what has one.
    """

    directory: Path | None = None
    vertex: Vertex | None = None
    files: FileView | None = None
    dockerfile: BuildText | None = None
    epoch: int | None = None
