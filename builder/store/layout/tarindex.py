"""Where the members of a tar file are, so that an image archive can be read like a directory.

Nothing is extracted, no name becomes a path on disk, and no header makes us read more than a megabyte of it.
Source: POSIX pax interchange format; GNU tar's long names and base-256 numbers.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

from builder.store.errors import InvalidLayout

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_MEMBERS: Final = 200_000
_MAX_EXTENSION: Final = 1 << 20
_MAX_LINKS: Final = 8
_BLOCK: Final = 512

_REGULAR: Final = frozenset({b"0", b"\0", b"7"})
_LINKS: Final = frozenset({b"1", b"2"})
_EXTENSIONS: Final = frozenset({b"x", b"L", b"K"})


class Member(msgspec.Struct, frozen=True):
    """A regular file of the archive: its bytes' place in the tar, or the path of the member it links to."""

    offset: int
    size: int
    link: str = ""


class _Header(msgspec.Struct, frozen=True):
    kind: bytes
    name: str
    link: str
    size: int


class _Overrides(msgspec.Struct):
    """What extension headers say about the member that follows."""

    name: str | None = None
    link: str | None = None
    size: int | None = None


def scan_tar(stream: BinaryIO) -> dict[str, Member]:
    """The regular files and links of the tar in `stream`, which can seek, by their cleaned names.

    Of two members with one name the later counts. Raises: InvalidLayout, OSError.
    """
    end = stream.seek(0, 2)
    members: dict[str, Member] = {}
    overrides = _Overrides()
    position = 0
    while (header := _read_header(stream, position, end)) is not None:
        start = position + _BLOCK
        if header.kind in _EXTENSIONS:
            _extend(overrides, header, stream.read(_extension_size(header)))
            position = start + _padded(header.size)
            continue
        size = header.size if overrides.size is None else overrides.size
        has_bytes = header.kind in _REGULAR
        position = start + (_padded(size) if has_bytes or header.kind == b"g" else 0)
        if position > end + _BLOCK or (has_bytes and start + size > end):
            raise InvalidLayout("the archive ends in the middle of a member")
        _add(members, header, overrides, Member(start, size))
        overrides = _Overrides()
    return members


def find_member(members: Mapping[str, Member], path: str) -> Member | None:
    """The regular file at `path`, links followed; None when there is none."""
    for _ in range(_MAX_LINKS):
        member = members.get(path)
        if member is None or not member.link:
            return member
        path = member.link
    return None


def _add(members: dict[str, Member], header: _Header, overrides: _Overrides, member: Member) -> None:
    name = _clean(overrides.name if overrides.name is not None else header.name)
    if header.kind in _REGULAR:
        members[name] = member
    elif header.kind in _LINKS:
        link = overrides.link if overrides.link is not None else header.link
        # A symbolic link is relative to its directory, a hard link to the archive's root.
        base = posixpath.dirname(name) if header.kind == b"2" and not link.startswith("/") else ""
        members[name] = Member(0, 0, _clean(posixpath.join(base, link)))
    if len(members) > MAX_MEMBERS:
        raise InvalidLayout(f"the archive has more than {MAX_MEMBERS} members")


def _read_header(stream: BinaryIO, position: int, end: int) -> _Header | None:
    stream.seek(position)
    block = stream.read(_BLOCK)
    if position >= end or (len(block) == _BLOCK and not any(block)):
        return None
    if len(block) < _BLOCK:
        raise InvalidLayout("the archive ends in the middle of a header")
    if _number(block[148:156]) != sum(block) - sum(block[148:156]) + 8 * 0x20:
        raise InvalidLayout(f"no tar header at byte {position}: its checksum is wrong")
    name, prefix = _text(block[:100]), _text(block[345:500])
    if prefix and block[257:263] == b"ustar\0":
        name = f"{prefix}/{name}"
    return _Header(block[156:157], name, _text(block[157:257]), _number(block[124:136]))


def _extension_size(header: _Header) -> int:
    if header.size > _MAX_EXTENSION:
        raise InvalidLayout(f"an extended header of {header.size} bytes is larger than {_MAX_EXTENSION}")
    return header.size


def _extend(overrides: _Overrides, header: _Header, content: bytes) -> None:
    if header.kind == b"L":
        overrides.name = _text(content)
    elif header.kind == b"K":
        overrides.link = _text(content)
    else:
        records = _pax_records(content)
        overrides.name = records.get("path", overrides.name)
        overrides.link = records.get("linkpath", overrides.link)
        if "size" in records:
            overrides.size = _decimal(records["size"])
        if any(key.startswith("GNU.sparse.") for key in records):
            raise InvalidLayout("the archive holds sparse files, which image archives never do")


def _pax_records(content: bytes) -> dict[str, str]:
    """The records `<length> <key>=<value>` and newline; the length counts the whole record."""
    records: dict[str, str] = {}
    position = 0
    while position < len(content):
        digits, space, _ = content[position : position + 20].partition(b" ")
        length = _decimal(digits.decode("latin-1"))
        record = content[position + len(digits) + 1 : position + length]
        key, equals, value = record[:-1].partition(b"=")
        # A record shorter than its own length field would make no progress.
        if not (space and equals and record.endswith(b"\n")) or position + length > len(content):
            raise InvalidLayout("malformed pax header in the archive")
        records[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        position += length
    return records


def _decimal(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise InvalidLayout("malformed number in a pax header of the archive")
    return int(text)


def _number(field: bytes) -> int:
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    try:
        value = int(digits, 8) if digits else 0
    except ValueError:
        value = -1
    if value < 0:
        raise InvalidLayout("malformed number in a tar header of the archive")
    return value


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _clean(name: str) -> str:
    path = posixpath.normpath(name.lstrip("/") or ".")
    if path == ".." or path.startswith("../"):
        raise InvalidLayout(f"the archive has a member outside its root: {name!r}")
    return path
