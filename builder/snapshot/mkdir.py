"""Directories that steps make: `mkdir -p` on a layer in the making."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from builder.snapshot.entry import Entry, Node
from builder.snapshot.errors import PathConflict
from builder.snapshot.owners import ROOT, Ids
from builder.snapshot.resolve import join, resolve

if TYPE_CHECKING:
    from builder.graph.operations import MakeDirectory
    from builder.snapshot.pending import PendingLayer

_NS: Final = 1_000_000_000


class NewDirectory(msgspec.Struct, frozen=True):
    """The attributes of directories that are made; `mtime_ns` in nanoseconds since the epoch."""

    mode: int
    ids: Ids
    mtime_ns: int


def make_directories(pending: PendingLayer, path: str, new: NewDirectory) -> bool:
    """Makes `path`, which has been resolved, and the parents that are missing; whether `path` is new.

    Raises: PathConflict when something else stands in the way.
    """
    made = False
    reached = ""
    for name in path.split("/") if path else ():
        reached = join(reached, name)
        node = pending.lstat(reached)
        made = node is None
        if node is None:
            entry = Entry(reached, "dir", new.mode, uid=new.ids.uid, gid=new.ids.gid, mtime_ns=new.mtime_ns)
            pending.put(Node(entry))
        elif node.entry.kind != "dir":
            raise PathConflict(f"mkdir /{reached}: not a directory")
    return made


def make_directory(action: MakeDirectory, pending: PendingLayer, *, ids: Ids | None, now_ns: int) -> None:
    """Carries `action` out; `ids` are the numbers of its owner, `now_ns` the time of the step.

    Links in the path are followed, the last part included. Raises: PathConflict.
    """
    mtime_ns = now_ns if action.mtime is None else action.mtime * _NS
    new = NewDirectory(action.mode, ids or ROOT, mtime_ns)
    make_directories(pending, resolve(pending, action.path), new)
