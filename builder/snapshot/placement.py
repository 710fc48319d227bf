"""Where a copy puts things: the part of COPY and ADD that depends on what is below.

The rules are BuildKit's, with their corners: contents of a directory are merged, a link at the destination is
followed and a link inside it is replaced, directories that were there keep their attributes if the copy names
them and lose them if it brings its own. Files are not touched; their nodes are renamed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from builder.graph.chmod import SymbolicMode
from builder.snapshot.entry import Entry, Node
from builder.snapshot.errors import PathConflict
from builder.snapshot.links import linked_names, unmarked
from builder.snapshot.mkdir import NewDirectory, make_directories
from builder.snapshot.owners import ROOT, Ids
from builder.snapshot.resolve import join, parent, resolve
from builder.snapshot.xattrs import portable

if TYPE_CHECKING:
    from builder.graph.operations import Copy
    from builder.snapshot.pending import PendingLayer
    from builder.snapshot.selection import SelectedTree

_MADE_MODE: Final = 0o755
_NOWHERE: Final = "\0"


class Placement:
    """Puts selected trees where `action` says; `ids` are the numbers of its owner, None to keep the source's.

    `now_ns` is the time of the step, in nanoseconds since the epoch.
    """

    def __init__(self, action: Copy, pending: PendingLayer, *, ids: Ids | None, now_ns: int) -> None:
        self._action = action
        self._pending = pending
        self._ids = ids
        self._keeps_modes = action.mode is None
        self._change = SymbolicMode(action.mode) if isinstance(action.mode, str) else None
        self._mode = action.mode if isinstance(action.mode, int) else _MADE_MODE
        # Setuid, setgid and sticky are for what is copied: Go's mkdir does not know them by these bits.
        self._made = NewDirectory(self._mode & 0o777, ids or ROOT, now_ns)

    def place(self, tree: SelectedTree) -> None:
        """Copies one tree.

        Raises: PathConflict when files and directories stand in each other's way.
        """
        target = resolve(self._pending, self._action.destination)
        there = self._pending.lstat(target)
        if self._action.destination.endswith("/"):
            make_directories(self._pending, target, self._made)
        if tree.root.entry.kind == "dir":
            self._place_contents(tree, target, there)
        else:
            self._place_file(tree, target, there)

    def make_destination(self) -> str:
        """The destination, made a directory if it is missing, for what is unpacked into it.

        A mode that was asked for is that of copies, not of what an archive brings. Raises: PathConflict.
        """
        target = resolve(self._pending, self._action.destination)
        made = msgspec.structs.replace(self._made, mode=_MADE_MODE)
        make_directories(self._pending, target, made)
        return target

    def _place_file(self, tree: SelectedTree, target: str, there: Node | None) -> None:
        into = there is not None and there.entry.kind == "dir"
        path = join(target, tree.name) if into or self._action.destination.endswith("/") else target
        make_directories(self._pending, parent(path), self._made)
        self._check_replaceable(path)
        self._pending.put(self._placed(tree.root, path))

    def _place_contents(self, tree: SelectedTree, target: str, there: Node | None) -> None:
        if there is not None and there.entry.kind != "dir":
            raise PathConflict(f"cannot copy to non-directory: /{target}")
        make_directories(self._pending, target, self._made)
        self._take_time(target, tree.root.entry.mtime_ns)
        prefix = f"{target}/" if target else ""
        source = len(tree.root.entry.path) + 1 if tree.root.entry.path else 0
        names = linked_names(tree.members)
        # What is copied into a directory that was not there meets nothing, so nothing is looked up.
        fresh = _NOWHERE if there is not None else prefix
        for node in tree.members:
            path = prefix + node.entry.path[source:]
            if not path.startswith(fresh):
                fresh = self._make_room(node, path)
            self._pending.put(self._placed(node, path), group=names.get(node.entry.path))

    def _make_room(self, node: Node, path: str) -> str:
        """Checks that `node` may be put at `path`; returns the prefix of paths that need no such check."""
        if node.entry.kind != "dir":
            self._check_replaceable(path)
            return _NOWHERE
        there = self._pending.lstat(path)
        if there is None:
            return f"{path}/"
        if there.entry.kind != "dir":
            raise PathConflict(f"cannot copy to non-directory: /{path}")
        return _NOWHERE

    def _check_replaceable(self, path: str) -> None:
        there = self._pending.lstat(path)
        if there is not None and there.entry.kind == "dir":
            raise PathConflict(f"cannot replace to directory /{path} with file")

    def _take_time(self, path: str, mtime_ns: int) -> None:
        """A directory that was copied to keeps all attributes but its time, even the root."""
        there = self._pending.lstat(path)
        if there is not None:
            entry = msgspec.structs.replace(there.entry, mtime_ns=mtime_ns, opaque=False)
            self._pending.put(Node(entry))

    def _placed(self, node: Node, path: str) -> Node:
        entry = node.entry
        ids = self._ids
        kind = entry.kind
        return Node(
            Entry(
                path,
                "file" if kind == "hardlink" else kind,
                entry.mode if self._keeps_modes or kind == "symlink" else self._mode_of(entry),
                entry.uid if ids is None else ids.uid,
                entry.gid if ids is None else ids.gid,
                entry.size,
                entry.mtime_ns,
                entry.link if kind == "symlink" else "",
                entry.device,
                portable(entry.xattrs) if entry.xattrs else (),
                digest=entry.digest,
            ),
            unmarked(node.content),
        )

    def _mode_of(self, entry: Entry) -> int:
        if self._change is not None:
            return self._change.apply(entry.mode, directory=entry.kind == "dir")
        return self._mode
