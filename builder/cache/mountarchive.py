"""Cache mounts as one tar archive: a manifest first, then the files of each mount below its name.

`manifest.json` is a `Manifest`; the files of a mount are the members `NAME/...`, all of one mount together, with
modes, owners, links, devices, times and capabilities. What comes in is hostile: only names that a cache mount
can have, only members of mounts that the manifest lists, each mount unpacked into a directory of its own through
no link, and no more than an archive of ADD may hold. Nothing here has its final name: that is `CacheMounts.put`.
"""

from __future__ import annotations

import os
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple

import msgspec

from builder.cache.inventory import mount_id
from builder.cache.mounttable import MountRow
from builder.oci.digest import encode_json
from builder.snapshot.disk import InlineContent
from builder.snapshot.entry import Entry, Node
from builder.snapshot.errors import InvalidLayer
from builder.snapshot.limits import Meter
from builder.snapshot.tarheader import WHITEOUT_PREFIX
from builder.snapshot.tarreader import read_tar
from builder.snapshot.tree import tree_nodes
from builder.snapshot.unpack import unpack_members
from builder.snapshot.xattrs import portable
from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from builder.snapshot.limits import UnpackLimits
    from builder.snapshot.streams import LayerReader
    from builder.snapshot.tarreader import Payload

MANIFEST: Final = "manifest.json"

_MAX_MANIFEST: Final = 16 << 20
_MANIFEST_MODE: Final = 0o644
_ID_LIMIT: Final = (1 << 32) - 2

_Name = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}(-[1-9][0-9]{0,8})?\\Z")]
_Owner = Annotated[int, msgspec.Meta(ge=0, le=_ID_LIMIT)]
_Seconds = Annotated[float, msgspec.Meta(ge=0)]


class MountArchiveError(DockyardError):
    """An archive of cache mounts cannot be written, or is damaged or hostile."""


class ArchivedMount(msgspec.Struct, frozen=True, kw_only=True):
    """One mount of an archive: what its `MountRow` says, and the mode and owner of its directory."""

    name: _Name
    id: str
    platform: str = ""
    sharing: Literal["shared", "private", "locked"] = "shared"
    description: str = ""
    created_at: _Seconds
    used_at: _Seconds
    mode: Annotated[int, msgspec.Meta(ge=0, le=0o7777)]
    uid: _Owner
    gid: _Owner

    def row(self, now: float) -> MountRow:
        """How the mount is listed where it is imported; it was not made or used after `now`."""
        return MountRow(
            name=self.name,
            id=self.id,
            platform=_plain(self.platform),
            sharing=self.sharing,
            description=_plain(self.description),
            created_at=min(self.created_at, now),
            used_at=min(self.used_at, now),
        )


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive holds, in its order."""

    format: Literal["dockyard.cache-mounts"] = "dockyard.cache-mounts"
    version: Literal[1] = 1
    mounts: tuple[ArchivedMount, ...]


class Unpacked(NamedTuple):
    """A mount that came out of an archive, and the directory that has its files."""

    mount: ArchivedMount
    path: Path


def archive_nodes(mounts: Sequence[tuple[MountRow, Path]]) -> Iterator[Node]:
    """The members of an archive of `mounts`, which nobody writes to. Raises: MountArchiveError, OSError."""
    manifest = Manifest(mounts=tuple(_archived(row, path) for row, path in mounts))
    content = encode_json(msgspec.to_builtins(manifest))
    yield Node(Entry(MANIFEST, "file", mode=_MANIFEST_MODE, size=len(content)), InlineContent(content))
    for (_, path), mount in zip(mounts, manifest.mounts, strict=True):
        time_ns = path.stat().st_mtime_ns
        yield Node(Entry(mount.name, "dir", mode=mount.mode, uid=mount.uid, gid=mount.gid, mtime_ns=time_ns))
        for node in tree_nodes(path):
            yield Node(_below(mount.name, node.entry), node.content)


def unpack_mounts(archive: LayerReader, scratch: Path, limits: UnpackLimits) -> tuple[Unpacked, ...]:
    """The mounts of `archive`, each in a new directory in `scratch`, after the last byte has been read.

    What is left in `scratch` after an error is the caller's to remove. Raises: MountArchiveError for an archive
    that is damaged or hostile; ArchiveTooLarge; SnapshotError and OSError when the disk fails.
    """
    try:
        found = _unpacked(archive, scratch, Meter(limits))
    except InvalidLayer as error:
        raise MountArchiveError(
            f"invalid archive of cache mounts: {error.message}", hint="`dockyard cache export` makes them"
        ) from error
    for mount, path in found:
        os.chown(path, mount.uid, mount.gid)
        path.chmod(mount.mode)
    return found


def _unpacked(archive: LayerReader, scratch: Path, meter: Meter) -> tuple[Unpacked, ...]:
    members = _metered(read_tar(archive), meter)
    found = _begun(_read_manifest(members), scratch)
    left = {mount.name: path for mount, path in found}
    for name, group in groupby(members, key=lambda member: member[0].path.partition("/")[0]):
        if name not in left:
            raise InvalidLayer(f"its manifest lists no cache mount {name[:80]!r}, or its files come twice")
        unpack_members(_inside(name, group), left.pop(name))
    # The checksum of a compressed archive stands behind all of it.
    archive.finish()
    return found


def _begun(manifest: Manifest, scratch: Path) -> tuple[Unpacked, ...]:
    """An empty directory for each mount, whether or not files of it come."""
    names = {mount.name for mount in manifest.mounts}
    if len(names) != len(manifest.mounts):
        raise InvalidLayer("its manifest lists a cache mount twice")
    for name in names:
        (scratch / name).mkdir(mode=0o700)
    return tuple(Unpacked(mount, scratch / mount.name) for mount in manifest.mounts)


def _archived(row: MountRow, path: Path) -> ArchivedMount:
    status = path.stat()
    described = {name: getattr(row, name) for name in ("name", "id", "platform", "description")}
    return msgspec.convert(
        {
            **described,
            "sharing": row.sharing,
            "created_at": row.created_at,
            "used_at": row.used_at,
            "mode": status.st_mode & 0o7777,
            "uid": status.st_uid,
            "gid": status.st_gid,
        },
        ArchivedMount,
    )


def _below(name: str, entry: Entry) -> Entry:
    """`entry` as a member of the mount `name`; marks of layers mean nothing here."""
    path = f"{name}/{entry.path}"
    if entry.name.startswith(WHITEOUT_PREFIX):
        raise MountArchiveError(
            f"cannot export the cache mount {mount_id(name)}: no archive can hold {entry.path!r}",
            hint=f"names with .wh. mean deletions there; leave the mount out: --filter id!={mount_id(name)}",
        )
    if entry.kind == "whiteout":
        return Entry(path, "char")
    link = f"{name}/{entry.link}" if entry.kind == "hardlink" else entry.link
    return msgspec.structs.replace(entry, path=path, link=link, opaque=False)


def _metered(members: Iterable[tuple[Entry, Payload]], meter: Meter) -> Iterator[tuple[Entry, Payload]]:
    for entry, payload in members:
        meter.add_member(entry.size)
        yield entry, payload


def _read_manifest(members: Iterator[tuple[Entry, Payload]]) -> Manifest:
    entry, payload = next(members, (Entry("", "dir"), None))
    if payload is None or entry.kind != "file" or entry.path != MANIFEST:
        raise InvalidLayer(f"it does not begin with a file {MANIFEST}")
    if entry.size > _MAX_MANIFEST:
        raise InvalidLayer(f"its manifest is larger than {_MAX_MANIFEST} bytes")
    try:
        return msgspec.json.decode(payload.read(entry.size), type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidLayer(f"its manifest cannot be read: {error}") from error


def _inside(name: str, members: Iterable[tuple[Entry, Payload]]) -> Iterator[tuple[Entry, Payload]]:
    """Members of the mount `name`, with paths as they are in it; its own directory is left out."""
    prefix = f"{name}/"
    for entry, payload in members:
        if entry.path == name:
            if entry.kind != "dir":
                raise InvalidLayer(f"the cache mount {name} is a {entry.kind}")
            continue
        link = entry.link
        if entry.kind == "hardlink":
            if not link.startswith(prefix):
                raise InvalidLayer(f"the hard link {entry.path!r} leads out of its cache mount")
            link = link.removeprefix(prefix)
        path, xattrs = entry.path.removeprefix(prefix), portable(entry.xattrs)
        yield msgspec.structs.replace(entry, path=path, link=link, xattrs=xattrs), payload


def _plain(text: str) -> str:
    """`text` without what could steer a terminal that lists it."""
    return "".join(each if each.isprintable() else " " for each in text)
