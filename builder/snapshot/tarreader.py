"""Tar streams as entries, one at a time, in constant memory.

`read_tar` reads any archive; `read_layer` gives the names that start with `.wh.` their meaning in layers. What
comes in is hostile: sizes are bounded, checksums verified, names made relative to the root, and whatever is not
understood is an error, since a skipped entry would be a layer that differs from its diff ID.
Source: OCI image-spec, layer.md; POSIX pax(1); GNU tar's long names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn, Protocol

import msgspec

from builder.snapshot.entry import NO_DEVICE, Entry
from builder.snapshot.errors import InvalidLayer
from builder.snapshot.tarfields import (
    MAX_EXTENSION,
    MAX_PATH,
    checked_time,
    clean_path,
    decimal,
    number,
    pax_records,
    pax_time,
    text,
)
from builder.snapshot.tarheader import BLOCK, OPAQUE_NAME, WHITEOUT_PREFIX, XATTR_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.snapshot.entry import Kind

_KINDS: Final[dict[int, Kind]] = {
    ord("0"): "file",
    0: "file",
    ord("7"): "file",
    ord("1"): "hardlink",
    ord("2"): "symlink",
    ord("3"): "char",
    ord("4"): "block",
    ord("5"): "dir",
    ord("6"): "fifo",
}
_PAX: Final = ord("x")
_GLOBAL: Final = ord("g")
_LONG_NAME: Final = ord("L")
_LONG_LINK: Final = ord("K")
_SPARSE: Final = ord("S")
_LINK_MODE: Final = 0o777
_ZERO: Final = bytes(BLOCK)
_SECOND: Final = 1_000_000_000
# The last number is -1 to chown(2), which means "leave the owner".
_MAX_ID: Final = (1 << 32) - 2
_MAX_MAJOR: Final = (1 << 12) - 1
_MAX_MINOR: Final = (1 << 20) - 1
# A header's checksum counts its own field as eight spaces.
_CHECKSUM_FIELD: Final = 8 * ord(" ")
_SKIP: Final = 1 << 20
# What AUFS kept about itself in the root of old layers.
_AUFS: Final = (".wh..wh.aufs", ".wh..wh.orph", ".wh..wh.plnk")


class ByteStream(Protocol):
    """Gives as many bytes as are asked for, fewer only at the end."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most `size`."""
        ...


class Payload:
    """The content of the entry that was read last; stale as soon as the next one is asked for."""

    __slots__ = ("_padding", "_stream", "left")

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._padding = 0
        self.left = 0

    def read(self, size: int) -> bytes:
        """At most `size` bytes; empty at the end of the file. Raises: InvalidLayer if the archive ends."""
        wanted = min(size, self.left)
        if not wanted:
            return b""
        chunk = self._stream.read(wanted)
        if len(chunk) != wanted:
            raise _truncated()
        self.left -= wanted
        return chunk

    def begin(self, size: int) -> None:
        """Starts the content of another entry."""
        self.left = size
        self._padding = -size % BLOCK

    def skip(self) -> None:
        """Moves to the next header."""
        while self.left:
            self.read(_SKIP)
        if self._padding and len(self._stream.read(self._padding)) != self._padding:
            raise _truncated()
        self._padding = 0


class _Extensions(msgspec.Struct):
    """What the headers before an entry said about it."""

    name: bytes | None = None
    link: bytes | None = None
    records: dict[bytes, bytes] = {}


_NONE: Final = _Extensions()


def read_tar(stream: ByteStream) -> Iterator[tuple[Entry, Payload]]:
    """The entries of an archive in its own order, and the content of each.

    Entries come once for each time they are in the archive; hard links name their target as the archive does,
    cleaned. Raises: InvalidLayer for a damaged archive, a name that leaves the root, and sparse files.
    """
    payload = Payload(stream)
    extensions = _NONE
    while (header := _next_header(stream)) is not None:
        flag = header[156]
        kind = _KINDS.get(flag)
        if kind is None:
            extensions = _extend(extensions, header, payload)
            continue
        entry = _entry(header, kind, extensions)
        extensions = _NONE
        payload.begin(entry.size)
        yield entry, payload
        payload.skip()
    if extensions is not _NONE:
        raise InvalidLayer("the archive ends after an extension header, before the entry it speaks of")


def read_layer(stream: ByteStream) -> Iterator[tuple[Entry, Payload]]:
    """The entries of a layer, with whiteouts as such; the root itself is left out.

    An opaque mark is a whiteout with `opaque` set: all that lower layers have *below* its path is hidden. It
    stands where the archive has it, which may be before its directory. Raises: as `read_tar`.
    """
    for entry, payload in read_tar(stream):
        path = entry.path
        if not path:
            if entry.kind != "dir":
                raise InvalidLayer(f"the layer's root is a {entry.kind}")
        elif entry.kind == "char" and entry.device == NO_DEVICE:
            # That device is what overlayfs takes for a whiteout, and so do all who unpack for it.
            yield Entry(path, "whiteout"), payload
        elif WHITEOUT_PREFIX not in path:
            yield entry, payload
        elif path.partition("/")[0] not in _AUFS:
            yield (_marker(entry) if entry.name.startswith(WHITEOUT_PREFIX) else entry), payload


def _marker(entry: Entry) -> Entry:
    if entry.name == OPAQUE_NAME:
        return Entry(entry.parent, "whiteout", opaque=True)
    hidden = entry.name[len(WHITEOUT_PREFIX) :]
    if hidden in ("", ".", "..") or hidden.startswith(WHITEOUT_PREFIX):
        raise InvalidLayer(f"invalid whiteout name: {entry.path!r}")
    return Entry(f"{entry.parent}/{hidden}" if entry.parent else hidden, "whiteout")


def _next_header(stream: ByteStream) -> bytes | None:
    """The next header block, verified; None at the end of the archive."""
    header = stream.read(BLOCK)
    if not header:
        return None
    if len(header) != BLOCK:
        raise _truncated()
    if header == _ZERO:
        if stream.read(BLOCK) not in (_ZERO, b""):
            raise InvalidLayer("the archive goes on behind an empty header")
        return None
    stored = number(header[148:156])
    total = sum(header) - sum(header[148:156]) + _CHECKSUM_FIELD
    if stored != total and stored != _signed(header, total):
        raise InvalidLayer("a tar header has a wrong checksum")
    return header


def _signed(header: bytes, total: int) -> int:
    """The sum as old programs made it, which took bytes for signed numbers."""
    return total - 256 * sum(byte > 127 for byte in header)


def _extend(known: _Extensions, header: bytes, payload: Payload) -> _Extensions:
    """`known`, and what the extension header `header` adds to it."""
    flag = header[156]
    if flag not in (_PAX, _GLOBAL, _LONG_NAME, _LONG_LINK):
        _refuse(flag)
    size = number(header[124:136])
    if not 0 <= size <= MAX_EXTENSION:
        raise InvalidLayer(f"an extension header of {size} bytes is larger than any layer needs")
    payload.begin(size)
    body = payload.read(size)
    payload.skip()
    if flag == _GLOBAL:
        return known
    if flag == _PAX:
        return _Extensions(known.name, known.link, pax_records(body))
    if flag == _LONG_NAME:
        return _Extensions(text(body), known.link, known.records)
    return _Extensions(known.name, text(body), known.records)


def _entry(header: bytes, kind: Kind, extensions: _Extensions) -> Entry:
    records = extensions.records
    name = extensions.name if extensions.name is not None else _short_name(header)
    link = extensions.link if extensions.link is not None else text(header[157:257])
    uid, gid, size = number(header[108:116]), number(header[116:124]), number(header[124:136])
    mtime_ns = 0
    xattrs: tuple[tuple[str, bytes], ...] = ()
    if records:
        name, link = records.get(b"path") or name, records.get(b"linkpath") or link
        uid, gid, size = (
            decimal(records[key]) if records.get(key) else value
            for key, value in ((b"uid", uid), (b"gid", gid), (b"size", size))
        )
        xattrs = _xattrs(records)
    if records.get(b"mtime"):
        mtime_ns = pax_time(records[b"mtime"])
    else:
        mtime_ns = checked_time(number(header[136:148]) * _SECOND)
    if kind == "file" and header[156] == 0 and name.endswith(b"/"):
        # Archives older than POSIX have no type for directories.
        kind = "dir"
    if not (0 <= uid <= _MAX_ID and 0 <= gid <= _MAX_ID and 0 <= size < 1 << 63):
        raise InvalidLayer(f"{clean_path(name)!r} has an owner or a size that no file can have")
    return Entry(
        clean_path(name),
        kind,
        # Links have no mode of their own on Linux, whatever the archive says.
        mode=_LINK_MODE if kind == "symlink" else number(header[100:108]) & 0o7777,
        uid=uid,
        gid=gid,
        size=size if kind == "file" else 0,
        mtime_ns=mtime_ns,
        link=_link(kind, name, link) if kind in ("symlink", "hardlink") else "",
        device=_device(header, name) if kind in ("char", "block") else NO_DEVICE,
        xattrs=xattrs,
    )


def _short_name(header: bytes) -> bytes:
    name = text(header[:100])
    # GNU's older format has the same magic with other padding, and times where the prefix would be.
    if header[345] and header[257:263] == b"ustar\0":
        return text(header[345:500]) + b"/" + name
    return name


def _link(kind: Kind, name: bytes, link: bytes) -> str:
    if kind == "hardlink":
        return clean_path(link)
    if not link or len(link) > MAX_PATH or b"\0" in link:
        raise InvalidLayer(f"the link {clean_path(name)!r} has no target that a link can have")
    return link.decode("utf-8", "surrogateescape")


def _device(header: bytes, name: bytes) -> tuple[int, int]:
    major, minor = number(header[329:337]), number(header[337:345])
    if not (0 <= major <= _MAX_MAJOR and 0 <= minor <= _MAX_MINOR):
        raise InvalidLayer(f"{clean_path(name)!r} is a device with a number out of range")
    return major, minor


def _xattrs(records: dict[bytes, bytes]) -> tuple[tuple[str, bytes], ...]:
    found = []
    for key, value in records.items():
        if key.startswith(b"GNU.sparse."):
            _refuse(_SPARSE)
        if key.startswith(XATTR_PREFIX) and len(key) > len(XATTR_PREFIX) and b"\0" not in key:
            found.append((key[len(XATTR_PREFIX) :].decode("utf-8", "surrogateescape"), value))
    return tuple(sorted(found))


def _refuse(flag: int) -> NoReturn:
    if flag == _SPARSE:
        raise InvalidLayer(
            "the archive holds a sparse file, which layers may not",
            hint="make the archive without sparse files (GNU tar: without --sparse)",
        )
    raise InvalidLayer(f"the archive holds an entry of the unknown type {chr(flag)!r}")


def _truncated() -> InvalidLayer:
    return InvalidLayer("the archive is cut off")
