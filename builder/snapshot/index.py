"""The path index of a blob: what stands in a layer, without unpacking it.

A COPY that must know whether `/app` is a link, or what a file's digest is, asks the index of the layers and needs
no tree. It is kept as columns, so that 20,000 entries load in the time of a few; an entry is made when
somebody asks for it. It is a file of this machine's state, not part of the image.
"""

from __future__ import annotations

import os
import threading
from array import array
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.digest import CHUNK, DiffID, Digest
from builder.snapshot.entry import NO_DEVICE, Entry, Kind, Node
from builder.snapshot.errors import InvalidLayer
from builder.snapshot.listing import Listing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from builder.snapshot.streams import LayerReader
    from builder.snapshot.tarreader import Payload

_VERSION: Final = 2
_KINDS: Final[tuple[Kind, ...]] = (
    "file",
    "dir",
    "symlink",
    "hardlink",
    "char",
    "block",
    "fifo",
    "whiteout",
)
_CODES: Final = {kind: code for code, kind in enumerate(_KINDS)}
_HASH: Final = 32
_UNKNOWN: Final = bytes(_HASH)
_NUMBERS: Final = {"modes": "H", "uids": "I", "gids": "I", "sizes": "q", "mtimes": "q"}
"""The columns of numbers, and the format of one, as `array` names it."""
_NOTHING: Final = memoryview(b"")
# Head of a MessagePack array of up to 15 items.
_SHORT_ARRAY: Final = 0x90


class _Columns(msgspec.Struct, array_like=True, frozen=True):
    """The stored form. Each path ends with NUL; the rarely used attributes are kept by row.

    Columns of numbers are read where they stand: as objects, those of 200,000 files would take 40 MB. `digests` is
    empty when none is known.
    """

    version: int = _VERSION
    paths: bytes = b""
    kinds: bytes = b""
    modes: memoryview = _NOTHING
    uids: memoryview = _NOTHING
    gids: memoryview = _NOTHING
    sizes: memoryview = _NOTHING
    mtimes: memoryview = _NOTHING
    digests: memoryview = _NOTHING
    links: dict[int, bytes] = {}
    devices: dict[int, tuple[int, int]] = {}
    xattrs: dict[int, list[tuple[bytes, bytes]]] = {}
    opaque: list[int] = []


class IndexLayer:
    """A `LayerView` over an index. Its nodes have no content: a blob cannot be read out of order.

    Hard links are shown as what they are names of: regular files with their size and digest.
    """

    def __init__(self, columns: _Columns) -> None:
        if not _have_equal_lengths(columns):
            raise InvalidLayer("the index of a layer is damaged: its columns have different lengths")
        if columns.kinds and (max(columns.kinds) >= len(_KINDS) or not columns.paths.endswith(b"\0")):
            raise InvalidLayer("the index of a layer is damaged: it holds an unknown kind or half a path")
        self._columns = columns
        self._modes, self._uids, self._gids, self._sizes, self._mtimes = (
            getattr(columns, name).cast(code) for name, code in _NUMBERS.items()
        )
        self._opaque = frozenset(columns.opaque)

    @cached_property
    def _paths(self) -> list[str]:
        paths = self._columns.paths
        return _text(paths[:-1]).split("\0") if paths else []

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {path: row for row, path in enumerate(self._paths)}

    @cached_property
    def _children(self) -> dict[str, list[int]]:
        children: dict[str, list[int]] = {}
        for row, path in enumerate(self._paths):
            children.setdefault(path.rpartition("/")[0], []).append(row)
        return children

    def get(self, path: str) -> Node | None:
        """What the layer says of exactly `path`."""
        row = self._rows.get(path)
        return None if row is None else self._node(row)

    def below(self, path: str) -> Iterable[Node]:
        """What the layer says of names directly below `path`, sorted by the bytes of the names."""
        return (self._node(row) for row in self._children.get(path, ()))

    def entries(self) -> Iterator[Entry]:
        """All entries as the layer has them, sorted by `sort_key`; hard links as such."""
        return (self._entry(row) for row in range(len(self._columns.kinds)))

    def encode(self) -> Iterator[bytes]:
        """The stored form, a column after the other."""
        columns = msgspec.structs.astuple(self._columns)
        yield bytes((_SHORT_ARRAY + len(columns),))
        yield from map(msgspec.msgpack.encode, columns)

    def _node(self, row: int) -> Node:
        entry = self._entry(row)
        if entry.kind != "hardlink":
            return Node(entry)
        target = self._rows.get(entry.link)
        if target is None or self._columns.kinds[target] == _CODES["hardlink"]:
            raise InvalidLayer(f"the index of a layer is damaged: {entry.path!r} names no file")
        return Node(msgspec.structs.replace(self._entry(target), path=entry.path))

    def _entry(self, row: int) -> Entry:
        columns = self._columns
        digest = bytes(columns.digests[row * _HASH : (row + 1) * _HASH])
        return Entry(
            self._paths[row],
            _KINDS[columns.kinds[row]],
            mode=self._modes[row],
            uid=self._uids[row],
            gid=self._gids[row],
            size=self._sizes[row],
            mtime_ns=self._mtimes[row],
            link=_text(columns.links.get(row, b"")),
            device=columns.devices.get(row, NO_DEVICE),
            xattrs=tuple((_text(name), value) for name, value in columns.xattrs.get(row, ())),
            opaque=row in self._opaque,
            digest=None if digest in (b"", _UNKNOWN) else Digest("sha256:" + digest.hex()),
        )


class LayerScan(msgspec.Struct, frozen=True, kw_only=True):
    """What a pass over a blob found.

    The entries of `index` have digests on all files, and hold every parent. `implied` are those directories
    among them that the archive does not describe: their attributes must come from the layers below. `size`
    is that of the uncompressed archive, in bytes.
    """

    diff_id: DiffID
    index: IndexLayer
    implied: tuple[str, ...]
    size: int


def index_layer(entries: Iterable[Entry]) -> IndexLayer:
    """The index of `entries`, which come sorted, each path once."""
    return IndexLayer(_columns(entries))


def save_index(index: IndexLayer, path: Path) -> None:
    """Writes `index` to `path`, whole or not at all. Raises: OSError."""
    # Two steps of one build may need the same index at the same time.
    unfinished = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with unfinished.open("wb") as file:
            file.writelines(index.encode())
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def load_index(path: Path) -> IndexLayer:
    """The index at `path`. Raises: OSError; InvalidLayer when it is damaged or of another version."""
    try:
        columns = msgspec.msgpack.decode(path.read_bytes(), type=_Columns)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidLayer(f"the index {path.name} of a layer is damaged: {error}") from error
    if columns.version != _VERSION:
        raise InvalidLayer(f"the index {path.name} of a layer has version {columns.version}, not {_VERSION}")
    return IndexLayer(columns)


def scan_layer(layer: LayerReader, *, expected: DiffID | None = None) -> LayerScan:
    """Reads a layer to its end and lists it, writing nothing.

    Raises: InvalidLayer, also when its diff ID is not `expected`.
    """
    from builder.snapshot.tarreader import read_layer

    listing = Listing()
    for entry, payload in read_layer(layer):
        change = listing.add(entry)
        if change is not None and change.entry.kind == "file":
            listing.describe(change.entry.path, _sha256(payload))
    return finish_scan(layer, listing, expected=expected)


def finish_scan(layer: LayerReader, listing: Listing, *, expected: DiffID | None) -> LayerScan:
    """Reads what stands behind the archive and compares the diff ID. Raises: InvalidLayer."""
    diff_id = layer.finish()
    if expected is not None and diff_id != expected:
        raise InvalidLayer(f"the layer's content is {diff_id}, but its image says {expected}")
    index = index_layer(listing.entries())
    return LayerScan(diff_id=diff_id, index=index, implied=listing.implied(), size=layer.size)


def _sha256(payload: Payload) -> bytes:
    total = sha256()
    while chunk := payload.read(CHUNK):
        total.update(chunk)
    return total.digest()


def _columns(entries: Iterable[Entry]) -> _Columns:
    columns = _Columns()
    paths, kinds, digests = bytearray(), bytearray(), bytearray()
    modes, uids, gids, sizes, mtimes = numbers = [array(code) for code in _NUMBERS.values()]
    for row, entry in enumerate(entries):
        paths += _raw(entry.path) + b"\0"
        kinds.append(_CODES[entry.kind])
        digests += bytes.fromhex(entry.digest.hex) if entry.digest else _UNKNOWN
        modes.append(entry.mode)
        uids.append(entry.uid)
        gids.append(entry.gid)
        sizes.append(entry.size)
        mtimes.append(entry.mtime_ns)
        if entry.link:
            columns.links[row] = _raw(entry.link)
        if entry.device != NO_DEVICE:
            columns.devices[row] = entry.device
        if entry.xattrs:
            columns.xattrs[row] = [(_raw(name), value) for name, value in entry.xattrs]
        if entry.opaque:
            columns.opaque.append(row)
    return msgspec.structs.replace(
        columns,
        paths=bytes(paths),
        kinds=bytes(kinds),
        digests=memoryview(digests) if digests.count(0) < len(digests) else _NOTHING,
        **{name: memoryview(column).cast("B") for name, column in zip(_NUMBERS, numbers, strict=True)},
    )


def _have_equal_lengths(columns: _Columns) -> bool:
    rows = len(columns.kinds)
    return (
        columns.paths.count(b"\0") == rows
        and len(columns.digests) in (0, rows * _HASH)
        and all(len(getattr(columns, name)) == rows * array(code).itemsize for name, code in _NUMBERS.items())
    )


def _raw(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
