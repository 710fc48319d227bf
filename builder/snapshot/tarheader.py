"""Tar headers made by hand, byte for byte as containerd's layer writer makes them.

The same tree must have the same diff ID here and there, so this follows its rules exactly: USTAR as long as
everything fits, one PAX header where something does not, and never a user name, an access time or padding.
`tarfile` writes other bytes and takes five times as long.
Source: POSIX pax(1), "ustar Interchange Format" and "pax Header Block".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.snapshot.errors import SnapshotError

if TYPE_CHECKING:
    from builder.snapshot.entry import Entry, Kind

BLOCK: Final = 512
OPAQUE_NAME: Final = ".wh..wh..opq"
WHITEOUT_PREFIX: Final = ".wh."
XATTR_PREFIX: Final = b"SCHILY.xattr."
MAGIC: Final = b"ustar\x0000"
"""What stands in every header, at MAGIC_OFFSET; its name field has the first NAME_LENGTH bytes."""
MAGIC_OFFSET: Final = 257
NAME_LENGTH: Final = 100

_TYPES: Final[dict[Kind, bytes]] = {
    "file": b"0",
    "hardlink": b"1",
    "symlink": b"2",
    "char": b"3",
    "block": b"4",
    "dir": b"5",
    "fifo": b"6",
    "whiteout": b"0",
}
_PREFIX: Final = 155
_SMALL: Final = 1 << 21
"""First number that seven octal digits cannot hold: ids and devices."""
_LARGE: Final = 1 << 33
"""First number that eleven octal digits cannot hold: sizes and times."""
_SECOND: Final = 1_000_000_000
_USTAR: Final = MAGIC + bytes(64)
_CONSTANT_SUM: Final = sum(MAGIC) + 8 * ord(" ")
_NO_DEVICE: Final = b"0000000\x000000000\x00"
_UNSET_DEVICE: Final = bytes(16)


def entry_header(entry: Entry) -> bytes:
    """All blocks that come before the content of `entry`: its header, after a PAX header if it needs one.

    A directory that is opaque is followed by its opaque mark. Times are cut to whole seconds.
    Raises: SnapshotError for a name that would be read as a whiteout.
    """
    if WHITEOUT_PREFIX in entry.path and entry.name.startswith(WHITEOUT_PREFIX):
        raise SnapshotError(
            f"no layer can hold {entry.path!r}: names that start with .wh. mean deletions there",
            hint="give it another name, or leave it out with .dockerignore",
        )
    if entry.kind == "whiteout":
        return whiteout_header(entry.parent, WHITEOUT_PREFIX + entry.name)
    name = entry.path.encode("utf-8", "surrogateescape")
    if entry.kind == "dir":
        name += b"/"
    link = entry.link.encode("utf-8", "surrogateescape") if entry.link else b""
    size = entry.size if entry.kind == "file" else 0
    mtime = entry.mtime_ns // _SECOND
    numbers = (entry.mode & 0o7777, entry.uid, entry.gid, size, mtime)
    fits = (
        len(name) <= NAME_LENGTH
        and name.isascii()
        and len(link) <= NAME_LENGTH
        and link.isascii()
        and 0 <= entry.uid < _SMALL
        and 0 <= entry.gid < _SMALL
        and 0 <= mtime < _LARGE
        and size < _LARGE
        and not entry.xattrs
    )
    device = _device(entry) if entry.kind in ("char", "block") else _NO_DEVICE
    if fits:
        header = _block(name, numbers, _TYPES[entry.kind], link, device)
    else:
        header = _extended(entry, name, link, numbers, device)
    return header + whiteout_header(entry.path, OPAQUE_NAME) if entry.opaque else header


def whiteout_header(parent: str, name: str) -> bytes:
    """The header of an empty marker file: nobody's, without any mode, of 1970."""
    path = f"{parent}/{name}" if parent else name
    return _plain_or_extended(path.encode("utf-8", "surrogateescape"))


def _plain_or_extended(name: bytes) -> bytes:
    numbers = (0, 0, 0, 0, 0)
    if len(name) <= NAME_LENGTH and name.isascii():
        return _block(name, numbers, b"0", b"", _NO_DEVICE)
    split = _split(name)
    if split is not None:
        return _block(split[1], numbers, b"0", b"", _NO_DEVICE, prefix=split[0])
    return _pax({b"path": name}, name) + _block(_ascii(name), numbers, b"0", b"", _NO_DEVICE)


def _extended(entry: Entry, name: bytes, link: bytes, numbers: tuple[int, ...], device: bytes) -> bytes:
    """The header of an entry for which a plain one is too small."""
    mode, uid, gid, size, mtime = numbers
    records: dict[bytes, bytes] = {}
    split = _split(name)
    if len(link) > NAME_LENGTH or not link.isascii():
        records[b"linkpath"] = link
    for key, number, limit in (
        (b"uid", uid, _SMALL),
        (b"gid", gid, _SMALL),
        (b"size", size, _LARGE),
        (b"mtime", mtime, _LARGE),
    ):
        if not 0 <= number < limit:
            records[key] = b"%d" % number
    for xattr, value in entry.xattrs:
        records[XATTR_PREFIX + xattr.encode("utf-8", "surrogateescape")] = value
    kind = _TYPES[entry.kind]
    if not records and split is not None:
        return _block(split[1], numbers, kind, link, device, prefix=split[0])
    if len(name) > NAME_LENGTH or not name.isascii():
        records[b"path"] = name
    held = (
        mode,
        uid if b"uid" not in records else 0,
        gid if b"gid" not in records else 0,
        size if b"size" not in records else 0,
        mtime if b"mtime" not in records else 0,
    )
    return _pax(records, name) + _block(_ascii(name), held, kind, _ascii(link), device)


def _pax(records: dict[bytes, bytes], name: bytes) -> bytes:
    """A PAX header entry, `records` sorted by key."""
    body = b"".join(_record(key, records[key]) for key in sorted(records))
    folder, _, base = name.rpartition(b"/")
    parts = [part for part in (folder, b"PaxHeaders.0", base) if part]
    title = _letters(b"/".join(parts))[:NAME_LENGTH].rstrip(b"/")
    header = _block(title, (0, 0, 0, len(body), 0), b"x", b"", _UNSET_DEVICE)
    return header + body + bytes(-len(body) % BLOCK)


def _record(key: bytes, value: bytes) -> bytes:
    """One record: its length, which counts its own digits, a space, key, `=`, value and a line feed."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    if len(str(length)) != len(str(rest)):
        length = rest + len(str(length))
    return b"%d %b=%b\n" % (length, key, value)


def _block(
    name: bytes, numbers: tuple[int, ...], kind: bytes, link: bytes, device: bytes, *, prefix: bytes = b""
) -> bytes:
    fields = b"%07o\0%07o\0%07o\0%011o\0%011o\0" % numbers
    # The checksum counts its own field as eight spaces. The zeros between the parts would take longest to add up.
    checksum = sum(name + fields + kind + link + device + prefix) + _CONSTANT_SUM
    return b"".join(
        (
            name.ljust(NAME_LENGTH, b"\0"),
            b"%b%06o\0 %b" % (fields, checksum, kind),
            link.ljust(NAME_LENGTH, b"\0"),
            _USTAR,
            device,
            prefix.ljust(_PREFIX + 12, b"\0"),
        )
    )


def _device(entry: Entry) -> bytes:
    return b"%07o\0%07o\0" % entry.device


def _letters(name: bytes) -> bytes:
    return bytes(byte for byte in name if 0 < byte < 0x80)


def _ascii(name: bytes) -> bytes:
    """What stands in a field whose true value is in the PAX header."""
    letters = _letters(name)
    if len(letters) > NAME_LENGTH and letters[NAME_LENGTH - 1] == ord("/"):
        # Some readers take a file whose field ends with a slash for a directory.
        return letters[:NAME_LENGTH].rstrip(b"/")
    return letters[:NAME_LENGTH]


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """The prefix and the name that USTAR makes of a long path; None when it cannot."""
    if len(name) <= NAME_LENGTH or not name.isascii():
        return None
    length = len(name)
    if length > _PREFIX + 1:
        length = _PREFIX + 1
    elif name.endswith(b"/"):
        length -= 1
    cut = name.rfind(b"/", 0, length)
    rest = len(name) - cut - 1
    if cut <= 0 or rest > NAME_LENGTH or rest == 0:
        return None
    return name[:cut], name[cut + 1 :]
