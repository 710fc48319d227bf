"""Which files ADD takes for archives, and the tar inside them.

The name of a file says nothing: what counts is that its bytes, decompressed if they begin like one of the known
formats, start with a tar header whose checksum is right. What is not an archive by this test is copied as it is,
so nothing here is an error until the archive is really read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from builder.oci.digest import CHUNK
from builder.snapshot.errors import InvalidLayer
from builder.snapshot.streams import Hashed, LayerReader, open_layer
from builder.snapshot.tarfields import number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from builder.snapshot.entry import Content

MAGIC_SIZE: Final = 6
"""Bytes at the start of a file that tell its compression."""

_BLOCK: Final = 512
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_BZIP2: Final = b"BZh"
_XZ: Final = b"\xfd7zXZ\0"
_COMPRESSED: Final = (_GZIP, _ZSTD, _BZIP2, _XZ)
_INPUT: Final = 1 << 16
# What `xz -9` needs, twice; a hostile header may ask for 4 GiB.
_XZ_MEMORY: Final = 128 << 20


def begins_archive(head: bytes) -> bool:
    """Whether a file that begins with `head` (512 bytes or all of it) is taken for an archive unread.

    A compressed file counts as one: nothing else that is compressed makes sense as a context.
    """
    return head.startswith(_COMPRESSED) or _is_header(head[:_BLOCK])


def is_archive(content: Content) -> bool:
    """Whether `content` is a tar archive, plain or compressed. Raises: OSError, ContentChanged."""
    with content.open() as blob:
        try:
            return _is_header(open_archive(blob).read(_BLOCK))
        except InvalidLayer:
            return False


def open_archive(blob: BinaryIO) -> LayerReader:
    """The tar bytes of the archive `blob`, which must be able to go back to its start. The caller closes it.

    Raises, while it is read: InvalidLayer for a stream that is damaged or cut off; OSError.
    """
    magic = blob.read(MAGIC_SIZE)
    blob.seek(0)
    return open_stream(magic, blob)


def open_stream(magic: bytes, blob: BinaryIO) -> LayerReader:
    """As `open_archive`, of a `blob` that is only read forwards; its first MAGIC_SIZE bytes are `magic`."""
    if magic.startswith(_GZIP):
        return open_layer(blob, "gzip")
    if magic.startswith(_ZSTD):
        return open_layer(blob, "zstd")
    if magic.startswith(_BZIP2):
        return LayerReader(Hashed(_streams(blob, _bzip2)))
    if magic.startswith(_XZ):
        return LayerReader(Hashed(_streams(blob, _xz)))
    return open_layer(blob, "uncompressed")


class _Decompressor(Protocol):
    """What `bz2` and `lzma` have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def _bzip2() -> _Decompressor:
    import bz2

    return bz2.BZ2Decompressor()


def _xz() -> _Decompressor:
    import lzma

    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


def _streams(blob: BinaryIO, make: Callable[[], _Decompressor]) -> Iterator[bytes]:
    """The content of one compressed stream after the other; zeros may stand between them."""
    import lzma

    rest = blob.read(_INPUT)
    while rest:
        decompressor = make()
        while not decompressor.eof:
            if decompressor.needs_input and not rest:
                rest = blob.read(_INPUT)
                if not rest:
                    raise InvalidLayer("the archive is cut off")
            try:
                chunk = decompressor.decompress(rest, CHUNK)
            except (lzma.LZMAError, OSError, ValueError) as error:
                raise InvalidLayer(f"the archive is damaged: {error}") from error
            rest = b""
            yield chunk
        rest = decompressor.unused_data.lstrip(b"\0")
        while not rest and (more := blob.read(_INPUT)):
            rest = more.lstrip(b"\0")


def _is_header(block: bytes) -> bool:
    """Whether `block` is a tar header by its checksum, which counts its own field as eight spaces."""
    if len(block) != _BLOCK or not any(block):
        return False
    return number(block[148:156]) == sum(block) - sum(block[148:156]) + 8 * ord(" ")
