"""What the entries of an archive add up to.

An archive may name a path twice, name a file before its directory, reach it through a link of its own, or mark
a directory opaque before or after filling it. Here that becomes one entry a path, with every parent present,
so that an index of the archive and its tree on disk cannot differ: both are made from what this says.
Source: OCI image-spec, layer.md, "Applying Changesets".
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.digest import Digest
from builder.snapshot.entry import Entry, sort_key
from builder.snapshot.errors import InvalidLayer

if TYPE_CHECKING:
    from collections.abc import Iterator

IMPLIED_MODE: Final = 0o755
MAX_ENTRIES: Final = 2_000_000
"""More paths than any layer has that was not made to exhaust memory."""
MAX_IMPLIED: Final = 50_000
"""A name of 4 KB can imply two thousand directories; an archive may not live on that."""
_MAX_STEPS: Final = 4096


class Change(msgspec.Struct, frozen=True):
    """What one entry of the archive means for a tree.

    First what is `removed` goes, children first; then the directories `made` appear, parents first; then
    `entry` is made, or, if it `exists`, its directory gets its attributes.
    """

    entry: Entry
    removed: tuple[Entry, ...] = ()
    made: tuple[Entry, ...] = ()
    exists: bool = False


class _Inode:
    """One file under several names, of which `first` has the entry of the file."""

    __slots__ = ("first", "names")

    def __init__(self, first: str) -> None:
        self.first = first
        # A plain dictionary walks over all removed names to find its first.
        self.names: OrderedDict[str, None] = OrderedDict.fromkeys((first,))


class _Way:
    """What had to go and to appear on the way to an entry."""

    __slots__ = ("made", "removed")

    def __init__(self) -> None:
        self.made: list[Entry] = []
        self.removed: list[Entry] = []


class Listing:
    """The entries so far, one a path."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        # May name paths that are gone, or one twice: a list takes a seventh of the room of a set.
        self._children: dict[str, list[str]] = {"": []}
        self._inodes: dict[str, _Inode] = {}
        self._implied: set[str] = set()
        # As bytes they take a third of the room, which is most of what an entry takes.
        self._digests: dict[str, bytes] = {}

    def add(self, entry: Entry) -> Change | None:
        """Adds the next entry of the archive, its path as the archive has it.

        Returns what it changes, with the path where it really stands; None when that is nothing.
        Raises: InvalidLayer when a parent is no directory, links go in circles, or a hard link has no target.
        """
        way = _Way()
        if entry.kind == "whiteout" and entry.opaque:
            return self._mark_opaque(entry.path, way)
        path = self._place(entry.path, way)
        if path != entry.path:
            entry = msgspec.structs.replace(entry, path=path)
        known = self._entries.get(path)
        if entry.kind == "whiteout" and known is not None:
            # It hides what lower layers have; what this one has stays.
            return self._mark_opaque(path, way) if known.kind == "dir" else None
        if entry.kind == "hardlink" and self._linked(entry).link == self._first_name(path):
            return None
        if known is None:
            return self._put(entry, way)
        if known.kind == "dir" and entry.kind == "dir":
            self._implied.discard(path)
            entry = msgspec.structs.replace(entry, opaque=known.opaque or entry.opaque)
            self._entries[path] = entry
            return Change(entry, exists=True)
        self._remove(path, way)
        if entry.kind == "dir":
            # What stood here hid the directory of the layers below, and so must its successor.
            entry = msgspec.structs.replace(entry, opaque=True)
        return self._put(entry, way)

    def describe(self, path: str, digest: bytes) -> None:
        """Adds the SHA-256 of the content of the file at `path`."""
        self._digests[path] = digest

    def directories(self) -> Iterator[Entry]:
        """All directories."""
        return (entry for entry in self._entries.values() if entry.kind == "dir")

    def entries(self) -> Iterator[Entry]:
        """All entries, sorted by `sort_key`; hard links have the attributes of the file they name."""
        return (self._finished(self._entries[path]) for path in sorted(self._entries, key=sort_key))

    def implied(self) -> tuple[str, ...]:
        """Directories that the archive needs but does not describe, sorted.

        Their attributes are those that lower layers give them, or else these defaults.
        """
        return tuple(sorted(self._implied, key=sort_key))

    def _finished(self, entry: Entry) -> Entry:
        digest = self._digests.get(entry.path)
        if digest is not None:
            return msgspec.structs.replace(entry, digest=Digest("sha256:" + digest.hex()))
        if entry.kind != "hardlink":
            return entry
        file = self._entries[self._inodes[entry.path].first]
        return msgspec.structs.replace(entry, link=file.path, **_attributes(file))

    def _put(self, entry: Entry, way: _Way) -> Change:
        if len(self._entries) >= MAX_ENTRIES:
            raise InvalidLayer(f"the layer has more than {MAX_ENTRIES} entries")
        if entry.kind == "hardlink":
            entry = self._linked(entry)
            inode = self._inodes.setdefault(entry.link, _Inode(entry.link))
            inode.names[entry.path] = None
            self._inodes[entry.path] = inode
        elif entry.kind == "dir":
            self._children[entry.path] = []
        self._entries[entry.path] = entry
        self._children[entry.parent].append(entry.path)
        return Change(entry, removed=tuple(way.removed), made=tuple(way.made))

    def _mark_opaque(self, path: str, way: _Way) -> Change | None:
        path = self._directory(path, way)
        if not path:
            raise InvalidLayer("the layer marks its root as opaque")
        entry = msgspec.structs.replace(self._entries[path], opaque=True)
        self._entries[path] = entry
        return Change(entry, removed=tuple(way.removed), made=tuple(way.made), exists=True)

    def _place(self, path: str, way: _Way) -> str:
        """Where `path` really stands; its parents are added to the listing, new ones also to `way`."""
        parent, _, name = path.rpartition("/")
        if parent in self._children:
            return path
        parent = self._directory(parent, way)
        return f"{parent}/{name}" if parent else name

    def _directory(self, path: str, way: _Way) -> str:
        """The directory that `path` leads to, inside the root, through links of this layer."""
        current = ""
        rest = path.split("/")[::-1]
        steps = 0
        while rest:
            name = rest.pop()
            steps += 1
            if steps > _MAX_STEPS:
                raise InvalidLayer(f"the links on the way to {path[:80]!r} go in circles")
            if name in ("", "."):
                continue
            if name == "..":
                current = current.rpartition("/")[0]
                continue
            step = f"{current}/{name}" if current else name
            found = self._entries.get(step)
            if found is not None and found.kind == "symlink":
                rest += found.link.split("/")[::-1]
                current = "" if found.link.startswith("/") else current
                continue
            if found is None or found.kind == "whiteout":
                self._make_directory(step, found, way)
            elif found.kind != "dir":
                raise InvalidLayer(f"{step!r} is a {found.kind}, but {path!r} needs it to be a directory")
            current = step
        return current

    def _make_directory(self, path: str, known: Entry | None, way: _Way) -> None:
        if known is not None:
            self._remove(path, way)
        entry = Entry(path, "dir", mode=IMPLIED_MODE, opaque=known is not None)
        self._put(entry, way)
        self._implied.add(path)
        way.made.append(entry)
        if len(self._implied) > MAX_IMPLIED:
            raise InvalidLayer(f"the layer needs more than {MAX_IMPLIED} directories that it does not list")

    def _linked(self, entry: Entry) -> Entry:
        """`entry`, naming the file that it is another name of."""
        parent, _, name = entry.link.rpartition("/")
        way = _Way()
        if parent and parent not in self._children:
            parent = self._directory(parent, way)
        target = self._entries.get(f"{parent}/{name}" if parent else name)
        if target is None or target.kind in ("dir", "whiteout") or way.made:
            raise InvalidLayer(
                f"the hard link {entry.path!r} names {entry.link!r}, which is no file of its layer before it"
            )
        return msgspec.structs.replace(entry, link=self._first_name(target.path))

    def _first_name(self, path: str) -> str:
        """The name that has the entry of the file which `path` is a name of."""
        inode = self._inodes.get(path)
        return path if inode is None else inode.first

    def _remove(self, path: str, way: _Way) -> None:
        """Takes `path` and all below it out, and puts it into `way`, children first."""
        doomed = [path]
        removed: list[Entry] = []
        while doomed:
            gone = doomed.pop()
            entry = self._entries.pop(gone, None)
            if entry is None:
                continue
            removed.append(entry)
            self._implied.discard(gone)
            digest = self._digests.pop(gone, None)
            doomed += self._children.pop(gone, ())
            inode = self._inodes.pop(gone, None)
            if inode is not None:
                self._forget(inode, entry, digest)
        way.removed += reversed(removed)

    def _forget(self, inode: _Inode, gone: Entry, digest: bytes | None) -> None:
        """Takes a name off a file; if it was the first, another one stands for the file."""
        del inode.names[gone.path]
        if gone.path == inode.first and inode.names:
            inode.first = next(iter(inode.names))
            self._entries[inode.first] = msgspec.structs.replace(gone, path=inode.first)
            if digest is not None:
                self._digests[inode.first] = digest


def _attributes(file: Entry) -> dict[str, int]:
    return {"mode": file.mode, "uid": file.uid, "gid": file.gid, "mtime_ns": file.mtime_ns}
