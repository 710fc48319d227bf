"""An image of one platform as an archive that `docker load` takes, whatever keeps the engine's images.

It is an OCI layout, which the containerd image store reads, with Docker's own `manifest.json` beside it, which the
classic store wants. Byte for byte as BuildKit writes it.
Source: Docker's image specification v1.2; BuildKit's docker exporter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.digest import encode_json
from builder.oci.manifest import is_index
from builder.snapshot.entry import Entry
from builder.snapshot.tarheader import BLOCK, entry_header
from builder.store.errors import BlobNotFound
from builder.store.imagegraph import read_manifest
from builder.store.layout.archive import LAYOUT_MARKER, encode_entries, image_blobs
from builder.store.layout.importer import no_progress
from builder.store.layout.names import entry_name
from builder.store.layout.output import copy_all, output_file, write_all
from exporter.errors import REFUSED_INDEX, ExportError
from exporter.oci import write_layout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.oci.descriptor import Descriptor
    from builder.oci.digest import Digest
    from builder.store.layout.importer import Progress
    from builder.store.protocol import BlobReader
    from exporter.outputs import DockerOutput

_FOLDERS: Final = ("blobs", "blobs/sha256")


class _Entry(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    config: str
    repo_tags: tuple[str, ...] | None
    layers: tuple[str, ...]


def write_docker(
    reader: BlobReader,
    entries: Sequence[Descriptor],
    output: DockerOutput,
    *,
    stdout: int,
    progress: Progress = no_progress,
) -> None:
    """Writes the archive of an image to where `output` says; `stdout` is for an output without `dest`.

    A directory becomes a layout, without `manifest.json`. A file appears when it is complete.
    Raises: as `write_docker_archive`, and StoreError.
    """
    if output.dest is None:
        write_docker_archive(reader, entries, stdout, progress=progress)
        return
    if not output.tar:
        _require_one_platform(entries[0])
        write_layout(reader, entries, output.dest, progress=progress)
        return
    with output_file(output.dest) as fd:
        write_docker_archive(reader, entries, fd, progress=progress)


def write_docker_archive(
    reader: BlobReader, entries: Sequence[Descriptor], fd: int, *, progress: Progress = no_progress
) -> None:
    """Writes the image to which all `entries` point, as they shall stand in `index.json`, to the descriptor `fd`.

    Raises: ExportError for an index; BlobNotFound, InvalidDocument, OSError.
    """
    root = entries[0]
    _require_one_platform(root)
    manifest = read_manifest(reader, root)
    listing = _Entry(
        config=_path(manifest.config.digest),
        repo_tags=tuple(name.familiar for name in map(entry_name, entries) if name and name.tag) or None,
        layers=tuple(_path(layer.digest) for layer in manifest.layers),
    )
    for folder in _FOLDERS:
        write_all(fd, entry_header(Entry(folder, "dir", mode=0o755)))
    blobs = image_blobs(reader, entries).values()
    for blob in sorted(blobs, key=lambda each: each.digest):
        _write_blob(reader, blob, fd)
        progress(blob, blob.size)
    _write_small("index.json", encode_entries(entries), fd, mode=0o644)
    _write_small("manifest.json", encode_json([listing]), fd, mode=0o644)
    _write_small("oci-layout", LAYOUT_MARKER, fd, mode=0o444)
    write_all(fd, bytes(2 * BLOCK))


def _require_one_platform(root: Descriptor) -> None:
    if is_index(root.media_type):
        raise ExportError(REFUSED_INDEX, hint="use type=oci, or build one platform")


def _path(digest: Digest) -> str:
    return f"blobs/sha256/{digest.hex}"


def _write_blob(reader: BlobReader, blob: Descriptor, fd: int) -> None:
    try:
        stream = reader.open(blob.digest)
    except BlobNotFound as error:
        raise BlobNotFound(f"cannot export: {error.message}") from error
    with stream:
        write_all(fd, entry_header(Entry(_path(blob.digest), "file", mode=0o444, size=blob.size)))
        copy_all(stream, fd, blob.size)
    write_all(fd, bytes(-blob.size % BLOCK))


def _write_small(name: str, content: bytes, fd: int, *, mode: int) -> None:
    header = entry_header(Entry(name, "file", mode=mode, size=len(content)))
    write_all(fd, header + content + bytes(-len(content) % BLOCK))
