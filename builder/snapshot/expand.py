"""Archives that ADD unpacks: their members as nodes of the layer, their bytes laid out beside it.

An archive is hostile. Names are cleaned by the reader; here a member is only put where the directories of its path
really are below the destination, so that a link, whether the archive brought it or the image had it, leads
nowhere else. Hard links may only name files of the same archive, and nothing is made but nodes and plain
files with names of our own.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from builder.oci.digest import CHUNK
from builder.snapshot.archives import is_archive, open_archive
from builder.snapshot.disk import Directory, DiskContent, stamp_of
from builder.snapshot.entry import Entry, Node
from builder.snapshot.errors import InvalidLayer, UnsafePath
from builder.snapshot.limits import Meter
from builder.snapshot.mkdir import NewDirectory, make_directories
from builder.snapshot.owners import ROOT, Ids
from builder.snapshot.resolve import join, parent, resolve
from builder.snapshot.tarreader import read_tar
from builder.snapshot.xattrs import portable

if TYPE_CHECKING:
    from collections.abc import Hashable

    from builder.snapshot.entry import Content
    from builder.snapshot.limits import UnpackLimits
    from builder.snapshot.pending import PendingLayer
    from builder.snapshot.placement import Placement
    from builder.snapshot.selection import SelectedTree
    from builder.snapshot.tarreader import Payload

_IMPLIED_MODE: Final = 0o755


class Unpacker:
    """Places trees as `placement` does, except archives, whose members it puts into the destination.

    Their bytes go into a new directory in `scratch`. `ids` own all members; None leaves the owners that an
    archive names. `now_ns` is the time of the step, in nanoseconds since the epoch. `limits` are for each archive.
    """

    def __init__(
        self,
        placement: Placement,
        pending: PendingLayer,
        scratch: Path,
        *,
        ids: Ids | None,
        now_ns: int,
        limits: UnpackLimits,
    ) -> None:
        self._placement = placement
        self._pending = pending
        self._scratch = scratch
        self._ids = ids
        self._limits = limits
        self._made = NewDirectory(_IMPLIED_MODE, ids or ROOT, now_ns)
        self._members: Directory | None = None
        self._count = 0

    def place(self, tree: SelectedTree) -> None:
        """Copies one tree, or unpacks it if it is a file that holds a tar archive.

        Raises: InvalidLayer for a damaged archive; ArchiveTooLarge for one beyond the limits; UnsafePath for a
        member that would land elsewhere; PathConflict when files and directories are in each other's way; OSError.
        """
        content = tree.root.content
        if content is None or not is_archive(content):
            self._placement.place(tree)
            return
        target = _Target(self._placement.make_destination(), files={}, groups={})
        meter = Meter(self._limits)
        with content.open() as blob:
            tar = open_archive(blob)
            for entry, payload in read_tar(tar):
                meter.add_member(entry.size)
                # The destination is there already and keeps its attributes.
                if entry.path:
                    self._add(entry, payload, target)
            # The checksum of a compressed archive stands behind all of it.
            tar.finish()

    def _add(self, entry: Entry, payload: Payload, target: _Target) -> None:
        path = self._locate(entry.path, target)
        if entry.kind == "hardlink":
            self._link(entry, path, target)
            return
        content = self._lay_out(payload) if entry.kind == "file" else None
        node = Node(self._owned(entry, path), content)
        if entry.kind != "dir":
            self._clear_directory(path)
            target.files[path] = node
            target.groups.pop(path, None)
        self._pending.put(node)

    def _link(self, entry: Entry, path: str, target: _Target) -> None:
        first_path = self._locate(entry.link, target)
        first = target.files.get(first_path)
        if first is None or self._pending.lstat(first_path) is not first:
            raise InvalidLayer(
                f"the hard link {entry.path!r} names {entry.link!r}, which is no file of the archive before it"
            )
        if path == first_path:
            return
        self._clear_directory(path)
        node = Node(msgspec.structs.replace(first.entry, path=path), first.content)
        target.files[path] = node
        group = target.groups.setdefault(first_path, object())
        target.groups[path] = group
        self._pending.put(first, group=group)
        self._pending.put(node, group=group)

    def _clear_directory(self, path: str) -> None:
        there = self._pending.lstat(path)
        if there is not None and there.entry.kind == "dir":
            self._pending.clear(path)

    def _locate(self, name: str, target: _Target) -> str:
        """Where the member `name` stands; makes the parents that the archive left out."""
        wanted = join(target.directory, parent(name)) if parent(name) else target.directory
        directory = resolve(self._pending, wanted)
        inside = not target.directory or directory == target.directory
        if not inside and not directory.startswith(f"{target.directory}/"):
            raise UnsafePath(
                f"the archive's member {name!r} would land in /{directory}, outside of /{target.directory}",
                hint="a symbolic link on its way leads out of the destination",
            )
        make_directories(self._pending, directory, self._made)
        return join(directory, name.rpartition("/")[2])

    def _owned(self, entry: Entry, path: str) -> Entry:
        ids = self._ids or Ids(entry.uid, entry.gid)
        return msgspec.structs.replace(
            entry,
            path=path,
            uid=ids.uid,
            gid=ids.gid,
            # As BuildKit does it: what an archive says is older than the epoch is as old as that.
            mtime_ns=max(entry.mtime_ns, 0),
            xattrs=portable(entry.xattrs),
        )

    def _lay_out(self, payload: Payload) -> Content:
        if self._members is None:
            self._members = Directory(Path(mkdtemp(dir=self._scratch)))
        name = f"{self._count}"
        self._count += 1
        with (self._members.path / name).open("xb") as file:
            while chunk := payload.read(CHUNK):
                file.write(chunk)
            file.flush()
            status = os.fstat(file.fileno())
        return DiskContent(self._members, name, stamp_of(status))


class _Target(NamedTuple):
    """Where one archive goes, and what has come out of it so far: files, and link groups, by path."""

    directory: str
    files: dict[str, Node]
    groups: dict[str, Hashable]
