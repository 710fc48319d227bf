"""The fields of tar headers, read without trust: numbers, strings, PAX records and paths.

Every function takes the raw bytes and gives a value that cannot be wrong, or raises InvalidLayer.
Source: POSIX pax(1); the base-256 numbers of GNU tar.
"""

from __future__ import annotations

import re
from typing import Final

from builder.snapshot.errors import InvalidLayer

MAX_EXTENSION: Final = 1 << 20
"""Largest PAX or GNU long-name header, in bytes: as much as other appliers take."""
MAX_PATH: Final = 4095
_SECOND: Final = 1_000_000_000
_MAX_SECONDS: Final = (1 << 63) // _SECOND - 1
_UNCLEAN: Final = re.compile(rb"(?:^|/)\.{0,2}(?:/|$)")
_PAX_LENGTH: Final = re.compile(rb"([1-9][0-9]{0,7}) ")
_PAX_TIME: Final = re.compile(rb"(-?)([0-9]{1,12})(?:\.([0-9]{0,20}))?")


def number(field: bytes) -> int:
    """A number in octal digits, or in base 256 when the first bit is set. Raises: InvalidLayer."""
    if field[0] & 0x80:
        value = int.from_bytes(bytes((field[0] & 0x7F,)) + field[1:], "big")
        if field[0] & 0x40:
            value -= 1 << (8 * len(field) - 1)
        if not -(1 << 63) <= value < 1 << 63:
            raise InvalidLayer("a number in a tar header is out of range")
        return value
    digits = field.strip(b" \0").partition(b"\0")[0]
    if not digits:
        return 0
    try:
        # int() alone would take signs, underscores and other scripts' digits.
        return int(digits, 8) if digits.isdigit() else _bad_number(field)
    except ValueError:
        return _bad_number(field)


def text(field: bytes) -> bytes:
    """The bytes of a string field, up to the first NUL."""
    return field.partition(b"\0")[0]


def decimal(value: bytes) -> int:
    """A number of a PAX record. Raises: InvalidLayer."""
    if not value.isdigit() or len(value) > 19:
        return _bad_number(value)
    return int(value)


def pax_time(value: bytes) -> int:
    """Nanoseconds since the epoch from `[-]seconds[.fraction]`. Raises: InvalidLayer."""
    found = _PAX_TIME.fullmatch(value)
    if found is None:
        return _bad_number(value)
    sign, seconds, fraction = found.groups()
    total = int(seconds) * _SECOND + int((fraction or b"").ljust(9, b"0")[:9])
    return checked_time(-total if sign else total)


def checked_time(time_ns: int) -> int:
    """`time_ns`, if a file can have it. Raises: InvalidLayer."""
    if abs(time_ns) > _MAX_SECONDS * _SECOND:
        raise InvalidLayer("a modification time in a tar header is out of range")
    return time_ns


def pax_records(body: bytes) -> dict[bytes, bytes]:
    """The records of a PAX header; a later one of the same key wins. Raises: InvalidLayer."""
    records: dict[bytes, bytes] = {}
    start = 0
    while start < len(body):
        found = _PAX_LENGTH.match(body, start)
        if found is None:
            raise InvalidLayer("a PAX header holds a record without a length")
        end = start + int(found[1])
        key, equals, value = body[found.end() : end].partition(b"=")
        if end > len(body) or not key or not equals or not value.endswith(b"\n"):
            raise InvalidLayer("a PAX header holds a damaged record")
        records[key] = value[:-1]
        start = end
    return records


def clean_path(raw: bytes) -> str:
    """The path below the root that an archive's name means; `` for the root itself.

    Raises: InvalidLayer for a name that is empty, too long or holds a NUL, and for one that leaves the root.
    """
    if not raw or len(raw) > MAX_PATH or b"\0" in raw:
        raise InvalidLayer(f"{_shown(raw)} is not a name that a layer may hold")
    stripped = raw.rstrip(b"/")
    if _UNCLEAN.search(stripped):
        stripped = b"/".join(_parts(raw))
    return stripped.decode("utf-8", "surrogateescape")


def _parts(raw: bytes) -> list[bytes]:
    parts: list[bytes] = []
    for part in raw.split(b"/"):
        if part == b"..":
            if not parts:
                raise InvalidLayer(f"the name {_shown(raw)} leads out of the layer")
            parts.pop()
        elif part not in (b"", b"."):
            parts.append(part)
    return parts


def _bad_number(field: bytes) -> int:
    raise InvalidLayer(f"{_shown(field)} is not a number that a tar header may hold")


def _shown(raw: bytes) -> str:
    return repr(raw[:80].decode("utf-8", "backslashreplace"))
