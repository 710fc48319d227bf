"""Transfers as people see them: parts of a vertex."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from builder.oci.digest import Digest
    from builder.progress.stream import Stream
    from builder.registry.watching import Transfer, Watcher

_WORDS: Final = {"moving": "", "done": "", "present": "already exists", "mounted": "mounted"}


def shown_on(stream: Stream, vertex: Digest) -> Watcher:
    """Shows transfers as parts of `vertex`."""

    def watch(transfer: Transfer) -> None:
        blob = transfer.blob
        ended = transfer.state != "moving"
        stream.status(
            vertex,
            f"{blob.digest[:19]} {_WORDS[transfer.state]}".rstrip(),
            current=transfer.moved,
            total=blob.size if transfer.state in ("moving", "done") else None,
            done=ended,
        )

    return watch
