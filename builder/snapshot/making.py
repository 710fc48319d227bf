"""What file operations make of what they select: the nodes of a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.graph.operations import MakeDirectory, MakeFile
from builder.snapshot.errors import SnapshotError
from builder.snapshot.mkdir import make_directory
from builder.snapshot.mkfile import place_file
from builder.snapshot.owners import Ids, find_ids, has_names
from builder.snapshot.pending import PendingLayer
from builder.snapshot.placement import Placement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from builder.graph.operations import Copy, File, Owner
    from builder.snapshot.entry import FileView, Node
    from builder.snapshot.limits import UnpackLimits
    from builder.snapshot.selection import SelectedTree


def make_nodes(
    operation: File,
    selections: Mapping[Copy, Sequence[SelectedTree]],
    below: FileView,
    *,
    now_ns: int,
    scratch: Path,
    limits: UnpackLimits,
) -> list[Node]:
    """The layer that `operation` makes on `below` of the `selections` of its copies; as `FilePlan.nodes` says."""
    pending = PendingLayer(below)
    for action in operation.actions:
        ids = _ids(operation, action.owner, below)
        if isinstance(action, MakeDirectory):
            make_directory(action, pending, ids=ids, now_ns=now_ns)
            continue
        if isinstance(action, MakeFile):
            place_file(action, pending, ids=ids, now_ns=now_ns)
            continue
        placement = Placement(action, pending, ids=ids, now_ns=now_ns)
        place = placement.place
        if action.unpack:
            # Few builds have an ADD, and what reads archives takes its time to load.
            from builder.snapshot.expand import Unpacker

            unpacker = Unpacker(placement, pending, scratch, ids=ids, now_ns=now_ns, limits=limits)
            place = unpacker.place
        for tree in selections[action]:
            place(tree)
    return pending.nodes()


def _ids(operation: File, owner: Owner | None, below: FileView) -> Ids | None:
    if owner is None:
        return None
    if operation.base is None and has_names(owner):
        raise SnapshotError(
            "invalid user index: -1", hint="an empty base has no user names: give numbers to --chown"
        )
    return find_ids(owner, below)
