"""eStargz: a gzip layer of which single files can be fetched, because each has a gzip member of its own.

Whoever knows only gzip and tar reads the same layer as ever; a table of contents (TOC) at the end says where
each file begins and what its digest is. The archive goes in unchanged, so cutting the blob at the TOC gives it
back; the diff ID however is that of the whole decompressed stream, with the TOC's own entry behind the end of
the archive.

Members are compressed side by side on a few threads and put out in order. The footer is made by hand, because
its length is part of the format and compressors differ in how they write nothing.
Source: stargz-snapshotter, docs/estargz.md; BuildKit's lossless conversion.
"""

from __future__ import annotations

import os
import zlib
from collections import deque
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Self

import msgspec

from builder.oci.digest import CHUNK, DiffID, Digest, encode_json
from builder.snapshot.compression import WrittenLayer
from builder.snapshot.entry import Entry
from builder.snapshot.errors import SnapshotError
from builder.snapshot.tarheader import BLOCK, entry_header
from builder.snapshot.tarreader import read_tar
from builder.snapshot.tarwriter import TRAILER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future, ThreadPoolExecutor
    from types import TracebackType

    from builder.snapshot.compression import BlobSink
    from builder.snapshot.entry import Kind
    from builder.snapshot.tarreader import ByteStream, Payload

TOC_NAME: Final = "stargz.index.json"
TOC_DIGEST: Final = "containerd.io/snapshot/stargz/toc.digest"
"""Annotation of a layer: the digest of its TOC, without which no reader can trust the layer in pieces."""
UNCOMPRESSED_SIZE: Final = "io.containers.estargz.uncompressed-size"
"""Annotation of a layer: bytes of the decompressed stream."""

_PIECE: Final = 4 << 20
_DEFAULT_LEVEL: Final = 4
_MAX_THREADS: Final = 4
_DEFLATE: Final = -15
_GZIP_HEADER: Final = bytes.fromhex("1f8b08000000000000ff")
_TYPES: Final[dict[Kind, str]] = {"file": "reg"}
_SECOND: Final = 1_000_000_000


class WrittenEstargz(msgspec.Struct, frozen=True, kw_only=True):
    """A finished blob, and the annotations that its descriptor needs."""

    layer: WrittenLayer
    annotations: dict[str, str]


class _Item(msgspec.Struct, omit_defaults=True, kw_only=True):
    """An entry of the TOC."""

    name: str
    type: str
    size: int = 0
    modtime: str = ""
    link_name: str = msgspec.field(name="linkName", default="")
    mode: int = 0
    uid: int = 0
    gid: int = 0
    offset: int = 0
    dev_major: int = msgspec.field(name="devMajor", default=0)
    dev_minor: int = msgspec.field(name="devMinor", default=0)
    xattrs: dict[str, bytes] = {}
    digest: str = ""
    chunk_offset: int = msgspec.field(name="chunkOffset", default=0)
    chunk_size: int = msgspec.field(name="chunkSize", default=0)
    chunk_digest: str = msgspec.field(name="chunkDigest", default="")


class _Toc(msgspec.Struct, frozen=True):
    version: int
    entries: list[_Item]


def write_estargz(archive: ByteStream, sink: BlobSink, *, level: int | None = None) -> WrittenEstargz:
    """Writes the tar stream `archive` to `sink`; `level` from 0 to 9, None is the default.

    Raises: InvalidLayer for a damaged archive; SnapshotError for one that has a TOC already; OSError of the
    sink.
    """
    with _Members(sink, _DEFAULT_LEVEL if level is None else level) as members:
        tape = _Tape(archive, members)
        placed = [each for entry, payload in read_tar(tape) for each in _items(entry, payload, members)]
        while tape.read(CHUNK):
            pass
        return _finish(placed, members)


class _Tape:
    """Passes an archive to its reader, and every byte of it to the members."""

    def __init__(self, archive: ByteStream, members: _Members) -> None:
        self._archive = archive
        self._members = members

    def read(self, size: int, /) -> bytes:
        chunk = self._archive.read(size)
        self._members.write(chunk)
        return chunk


def _items(entry: Entry, payload: Payload, members: _Members) -> Iterator[tuple[_Item, int | None]]:
    """The TOC's entries for an entry of the archive, each with the number of the member that it begins.

    Reads the payload, piece by piece, so that each piece has a member of its own.
    """
    item = _described(entry)
    if not entry.size:
        if entry.kind == "file":
            item.digest = Digest.of(b"")
        yield item, None
        return
    first, whole = item, sha256()
    for start in range(0, entry.size, _PIECE):
        number = members.cut()
        piece = payload.read(_PIECE)
        whole.update(piece)
        item.chunk_offset = start
        item.chunk_size = _PIECE if start + _PIECE < entry.size else 0
        item.chunk_digest = Digest.of(piece)
        yield item, number
        item = _Item(name=item.name, type="chunk")
    first.digest = "sha256:" + whole.hexdigest()


def _described(entry: Entry) -> _Item:
    if entry.path == TOC_NAME:
        raise SnapshotError(
            f"a layer that holds a file {TOC_NAME} cannot become eStargz",
            hint="choose another compression, or remove the file",
        )
    return _Item(
        name=_text(entry.path) + ("/" if entry.kind == "dir" else ""),
        type=_TYPES.get(entry.kind, entry.kind),
        size=entry.size,
        modtime=_modtime(entry.mtime_ns // _SECOND),
        link_name=_text(entry.link),
        mode=entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        dev_major=entry.device[0],
        dev_minor=entry.device[1],
        xattrs={_text(name): value for name, value in entry.xattrs},
    )


def _finish(placed: Sequence[tuple[_Item, int | None]], members: _Members) -> WrittenEstargz:
    toc_member = members.cut()
    for item, number in placed:
        if number is not None:
            item.offset = members.offset(number)
    toc = encode_json(_Toc(1, [item for item, _ in placed]))
    members.write(entry_header(Entry(TOC_NAME, "file", size=len(toc))) + toc)
    members.write(bytes(-len(toc) % BLOCK) + TRAILER)
    members.cut()
    layer = members.close(_footer(members.offset(toc_member)))
    annotations = {TOC_DIGEST: Digest.of(toc), UNCOMPRESSED_SIZE: str(layer.uncompressed_size)}
    return WrittenEstargz(layer=layer, annotations=dict[str, str](annotations))


class _Members:
    """Gzip members, one after the other; use in a `with` block, which ends the threads."""

    def __init__(self, sink: BlobSink, level: int) -> None:
        self._sink = sink
        self._level = level
        self._threads = min(len(os.sched_getaffinity(0)), _MAX_THREADS)
        self._pool: ThreadPoolExecutor | None = None
        self._pending: deque[Future[bytes]] = deque()
        self._held: list[bytes] = []
        self._held_size = 0
        self._offsets: list[int] = []
        self._size = 0
        self._uncompressed = 0
        self._diff = sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def write(self, chunk: bytes) -> None:
        """Adds to the member that is open."""
        self._diff.update(chunk)
        self._uncompressed += len(chunk)
        self._held.append(chunk)
        self._held_size += len(chunk)
        # Nothing cuts between the headers of a million directories.
        if self._held_size >= 2 * _PIECE:
            self.cut()

    def cut(self) -> int:
        """Ends the member that is open, unless it is empty; returns the number of the next one."""
        if self._held_size:
            member = b"".join(self._held)
            self._held, self._held_size = [], 0
            self._pending.append(self._workers().submit(_compress, member, self._level))
            if len(self._pending) > 2 * self._threads:
                self._emit(self._pending.popleft().result())
        return len(self._offsets) + len(self._pending)

    def offset(self, number: int) -> int:
        """Where a member begins in the blob. Waits for all before it."""
        while len(self._offsets) < number:
            self._emit(self._pending.popleft().result())
        return self._offsets[number] if number < len(self._offsets) else self._size

    def close(self, footer: bytes) -> WrittenLayer:
        """Writes what is left, and `footer`."""
        while self._pending:
            self._emit(self._pending.popleft().result())
        self._put(footer)
        return WrittenLayer(
            diff_id=DiffID(Digest("sha256:" + self._diff.hexdigest())),
            size=self._size,
            uncompressed_size=self._uncompressed,
        )

    def _emit(self, member: bytes) -> None:
        self._offsets.append(self._size)
        self._put(member)

    def _put(self, encoded: bytes) -> None:
        self._size += len(encoded)
        rest = memoryview(encoded)
        # An unbuffered sink may take less than it is given.
        while rest:
            rest = rest[self._sink.write(rest) :]

    def _workers(self) -> ThreadPoolExecutor:
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="estargz")
        return self._pool


def _compress(member: bytes, level: int) -> bytes:
    stream = zlib.compressobj(level, wbits=_DEFLATE)
    body = stream.compress(member) + stream.flush()
    trailer = zlib.crc32(member).to_bytes(4, "little") + len(member).to_bytes(4, "little")
    return _GZIP_HEADER + body + trailer


def _footer(toc_offset: int) -> bytes:
    """51 bytes: an empty gzip member whose extra field says where the TOC is."""
    text = b"%016xSTARGZ" % toc_offset
    field = b"SG" + len(text).to_bytes(2, "little") + text
    header = bytes.fromhex("1f8b08040000000000ff") + len(field).to_bytes(2, "little") + field
    return header + bytes.fromhex("010000ffff") + bytes(8)


def _modtime(seconds: int) -> str:
    """RFC 3339; nothing for the epoch itself, as the reference library writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else ""


def _text(path: str) -> str:
    """JSON has no bytes: what is not UTF-8 is replaced, as Go does."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
