"""The history of an image under way: one entry for each instruction, behind those of the base.

A stage points at the log of its parent instead of copying it: a file may chain thousands of stages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.oci.config import History
from builder.oci.manifest import MAX_DOCUMENT
from frontend.dockerfile.errors import DockerfileError

if TYPE_CHECKING:
    from builder.graph import Location
    from frontend.dockerfile.scope import Epoch

EXPORTER: Final = "buildkit.exporter.image.v0"
"""The comment of an entry that no instruction made."""

_COMMENT: Final = "buildkit.dockerfile.v0"


class HistoryLog:
    """Entries of one stage; `inherited` is the history of its base image, or the log of its parent."""

    def __init__(self, inherited: tuple[History, ...] | HistoryLog, epoch: Epoch | None) -> None:
        self.inherited = inherited
        self.entries: list[History] = []
        self.size: int = inherited.size if isinstance(inherited, HistoryLog) else 0
        self._created = epoch.rfc3339 if epoch else None

    def add(self, created_by: str, *, location: Location, has_layer: bool) -> None:
        """Adds an entry.

        Raises: DockerfileError when the history alone is more than any reader takes for an image config.
        """
        self.size += len(created_by)
        if self.size > MAX_DOCUMENT:
            raise DockerfileError(
                f"the history of the image is larger than the limit of {MAX_DOCUMENT} bytes",
                location=location,
            )
        entry = History(
            created=self._created, created_by=created_by, comment=_COMMENT, empty_layer=not has_layer
        )
        self.entries.append(entry)

    def whole(self) -> tuple[History, ...]:
        """All entries, oldest first."""
        own: list[list[History]] = []
        log: tuple[History, ...] | HistoryLog = self
        while isinstance(log, HistoryLog):
            own.append(log.entries)
            log = log.inherited
        return (*log, *(entry for entries in reversed(own) for entry in entries))
