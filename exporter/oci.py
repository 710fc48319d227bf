"""An image of the store as an OCI layout: one tar file, a stream, or a directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from builder.store.layout.archive import write_archive
from builder.store.layout.directory import write_directory
from builder.store.layout.importer import no_progress
from builder.store.layout.names import REF_NAME, named_entry
from builder.store.layout.output import output_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from builder.oci.descriptor import Descriptor
    from builder.oci.reference import Reference
    from builder.store.layout.importer import Progress
    from builder.store.protocol import BlobReader
    from exporter.outputs import OciOutput

_DEFAULT_TAG: Final = "latest"


def write_oci(
    reader: BlobReader,
    entries: Sequence[Descriptor],
    output: OciOutput,
    *,
    stdout: int,
    progress: Progress = no_progress,
) -> None:
    """Writes the images that `entries` point at (see `layout_entries`) to where `output` says.

    `stdout` is the descriptor for an output without `dest`. A file appears when it is complete.
    Raises: StoreError, InvalidDocument; OSError when a stream cannot be written.
    """
    if output.dest is None:
        write_archive(reader, entries, stdout, progress=progress)
    elif output.tar:
        with output_file(output.dest) as fd:
            write_archive(reader, entries, fd, progress=progress)
    else:
        write_layout(reader, entries, output.dest, progress=progress)


def write_layout(
    reader: BlobReader, entries: Sequence[Descriptor], folder: Path, *, progress: Progress = no_progress
) -> None:
    """Adds the images that `entries` point at to the OCI layout `folder`, made if missing.

    Raises: StoreError, InvalidDocument.
    """
    write_directory(reader, [_tagged(entry) for entry in entries], folder, progress=progress)


def layout_entries(
    root: Descriptor, names: Sequence[Reference], *, created: str | None = None
) -> tuple[Descriptor, ...]:
    """The entries of `index.json` for an image: one for each name, or one without. `created` in RFC 3339."""
    unique = dict.fromkeys(names)
    return tuple(named_entry(root, name, created=created) for name in unique or (None,))


def _tagged(entry: Descriptor) -> Descriptor:
    """In a directory, which may hold other images, an entry without a name is called `latest`."""
    return replace(entry, annotations={REF_NAME: _DEFAULT_TAG, **entry.annotations})
