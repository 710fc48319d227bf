"""Writing an OCI layout as a directory, into one that may hold images already.

Blobs come first and `index.json` last, so the directory is a correct layout at every moment. Two writers take
turns.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from builder.oci.digest import digest_stream
from builder.oci.manifest import InvalidDocument, decode_index
from builder.oci.mediatypes import OCI_INDEX
from builder.store.errors import InvalidLayout, StoreError
from builder.store.layout.archive import LAYOUT_MARKER, encode_entries, image_blobs
from builder.store.layout.dockerarchive import read_small
from builder.store.layout.files import DirectoryFiles
from builder.store.layout.importer import no_progress
from builder.store.layout.names import same_name
from builder.store.layout.output import copy_all, output_file, replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from builder.oci.descriptor import Descriptor
    from builder.store.layout.importer import Progress
    from builder.store.protocol import BlobReader

_BLOBS: Final = "blobs/sha256"


def write_directory(
    reader: BlobReader, entries: Sequence[Descriptor], path: Path, *, progress: Progress = no_progress
) -> None:
    """Adds the images that `entries` point at to the layout at `path`, which is made if it is missing.

    An entry of the same name that was there is replaced; its blobs stay.
    Raises: BlobNotFound, InvalidDocument, InvalidLayout, StoreError.
    """
    blobs = image_blobs(reader, entries)
    try:
        (path / _BLOBS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error
    with _turn(path):
        kept = [old for old in _existing(path) if not any(same_name(old, new) for new in entries)]
        for blob in blobs.values():
            _write_blob(reader, blob, path / _BLOBS / blob.digest.hex)
            progress(blob, blob.size)
        replace_file(path / "oci-layout", LAYOUT_MARKER)
        replace_file(path / "index.json", encode_entries([*kept, *entries]))


def _write_blob(reader: BlobReader, blob: Descriptor, path: Path) -> None:
    if _is_there(blob, path):
        return
    with reader.open(blob.digest) as stream, output_file(path) as fd:
        copy_all(stream, fd, blob.size)


def _is_there(blob: Descriptor, path: Path) -> bool:
    """Whether the file is the blob. It is read, because the directory is not ours alone."""
    try:
        with path.open("rb") as stream:
            return os.fstat(stream.fileno()).st_size == blob.size and digest_stream(stream) == blob.digest
    except FileNotFoundError:
        return False


def _existing(path: Path) -> tuple[Descriptor, ...]:
    files = DirectoryFiles(path)
    try:
        return decode_index(read_small(files, "index.json"), OCI_INDEX).manifests
    except FileNotFoundError:
        return ()
    except (InvalidDocument, InvalidLayout) as error:
        raise InvalidLayout(f"{path} holds a broken layout: index.json: {error.message}") from error
    finally:
        files.close()


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
