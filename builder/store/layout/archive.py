"""Writing an OCI layout as one tar file, byte for byte as BuildKit writes it.

Equal images make equal archives: members are sorted, times are zero, owners are root. Blobs of the store were
verified when they came in, so they are copied by the kernel and not read again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.oci.digest import encode_json
from builder.oci.manifest import escape_html, image_index
from builder.store.errors import BlobNotFound
from builder.store.imagegraph import walk_image
from builder.store.layout.importer import no_progress
from builder.store.layout.output import copy_all, write_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.oci.descriptor import Descriptor
    from builder.oci.digest import Digest
    from builder.store.layout.importer import Progress
    from builder.store.protocol import BlobReader

LAYOUT_MARKER: Final = b'{"imageLayoutVersion":"1.0.0"}'
_BLOCK: Final = 512
_OCTAL_LIMIT: Final = 8**11


def write_archive(
    reader: BlobReader, entries: Sequence[Descriptor], fd: int, *, progress: Progress = no_progress
) -> None:
    """Writes the images that `entries` point at, as they shall stand in `index.json`, to the descriptor `fd`.

    Raises: BlobNotFound, InvalidDocument, OSError.
    """
    blobs = image_blobs(reader, entries)
    write_all(fd, _header("blobs/", 0o755, kind=b"5") + _header("blobs/sha256/", 0o755, kind=b"5"))
    for blob in sorted(blobs.values(), key=lambda each: each.digest):
        _write_blob(reader, blob, fd)
        progress(blob, blob.size)
    _write_small("index.json", encode_entries(entries), fd, mode=0o644)
    _write_small("oci-layout", LAYOUT_MARKER, fd, mode=0o444)
    write_all(fd, bytes(2 * _BLOCK))


def encode_entries(entries: Sequence[Descriptor]) -> bytes:
    """`index.json`: one line."""
    return escape_html(encode_json(image_index(tuple(entries))))


def image_blobs(reader: BlobReader, entries: Sequence[Descriptor]) -> dict[Digest, Descriptor]:
    """Every blob of these images, each once.

    Raises: BlobNotFound, InvalidDocument.
    """
    return {
        visited.descriptor.digest: visited.descriptor
        for entry in entries
        for visited in walk_image(reader, entry)
    }


def _write_blob(reader: BlobReader, blob: Descriptor, fd: int) -> None:
    try:
        stream = reader.open(blob.digest)
    except BlobNotFound as error:
        raise BlobNotFound(f"cannot export: {error.message}") from error
    with stream:
        write_all(fd, _header(f"blobs/sha256/{blob.digest.hex}", 0o444, size=blob.size))
        copy_all(stream, fd, blob.size)
    write_all(fd, _padding(blob.size))


def _write_small(name: str, content: bytes, fd: int, *, mode: int) -> None:
    write_all(fd, _header(name, mode, size=len(content)) + content + _padding(len(content)))


def _header(name: str, mode: int, *, kind: bytes = b"0", size: int = 0) -> bytes:
    block = bytearray(_BLOCK)
    block[0 : len(name)] = name.encode()
    block[100:108] = b"%07o\0" % mode
    block[108:124] = b"0000000\0" * 2
    block[124:136] = b"%011o\0" % size if size < _OCTAL_LIMIT else b"\x80" + size.to_bytes(11, "big")
    block[136:148] = b"%011o\0" % 0
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[329:345] = b"0000000\0" * 2
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)
