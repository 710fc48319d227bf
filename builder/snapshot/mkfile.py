"""Files that steps make from text: inline files of a Dockerfile, put where a copy would put them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.graph.operations import Copy
from builder.snapshot.disk import InlineContent
from builder.snapshot.entry import Entry, Node
from builder.snapshot.owners import ROOT, Ids
from builder.snapshot.placement import Placement
from builder.snapshot.selection import SelectedTree

if TYPE_CHECKING:
    from builder.graph.operations import MakeFile
    from builder.snapshot.pending import PendingLayer

_MODE: Final = 0o644
_NS: Final = 1_000_000_000


def place_file(action: MakeFile, pending: PendingLayer, *, ids: Ids | None, now_ns: int) -> None:
    """Carries `action` out; `ids` are the numbers of its owner, `now_ns` the time of the step.

    Raises: PathConflict.
    """
    content = action.content.encode()
    mtime_ns = now_ns if action.mtime is None else action.mtime * _NS
    entry = Entry(action.name, "file", _MODE, size=len(content), mtime_ns=mtime_ns)
    copy = Copy(input=None, sources=(), destination=action.destination, mode=action.mode, owner=action.owner)
    placement = Placement(copy, pending, ids=ids or ROOT, now_ns=now_ns)
    placement.place(SelectedTree(action.name, Node(entry, InlineContent(content))))
