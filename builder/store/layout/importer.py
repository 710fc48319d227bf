"""From a layout into a store: everything of an image, or nothing.

First the whole graph is looked through, which finds what is missing without copying a byte; then the blobs
are copied and hashed; only when all of them are right do they appear, together. Names come from the caller,
or, when the caller loads an archive as such, from the top of the archive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.oci.digest import CHUNK
from builder.store.admission import require_storable
from builder.store.errors import InvalidLayout
from builder.store.imagegraph import labels_for, walk_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from builder.oci.descriptor import Descriptor
    from builder.oci.reference import Reference
    from builder.store.layout.reader import LayoutReader
    from builder.store.protocol import ContentWriter, Image, Sink, Store

    Progress = Callable[[Descriptor, int], None]
    """Called with a blob and how many bytes of it have been copied so far."""


def no_progress(blob: Descriptor, done: int) -> None:
    """For callers that nobody watches."""


def import_layout(
    store: Store,
    reader: LayoutReader,
    *,
    ref: str | None = None,
    names: Sequence[Reference],
    progress: Progress = no_progress,
) -> tuple[Image, ...]:
    """Copies the image that `ref` means (see `LayoutReader.find`) and gives it exactly these names.

    Raises: StoreError, InvalidDocument; then the store is as it was.
    """
    target = reader.find(ref)
    return _import(store, reader, [(name, target) for name in names], progress)


def load_layout(store: Store, reader: LayoutReader, *, progress: Progress = no_progress) -> tuple[Image, ...]:
    """Copies every image to which the layout's own index gives a name, under that name.

    Raises: StoreError, InvalidDocument; then the store is as it was.
    """
    named = reader.names()
    if not named:
        raise InvalidLayout(
            f"{reader.origin} does not say what its images are called", hint="give the image a name"
        )
    return _import(store, reader, named, progress)


def copy_blob(
    reader: LayoutReader, blob: Descriptor, content: ContentWriter, *, progress: Progress = no_progress
) -> None:
    """Brings one blob into the store, verified; costs nothing when it is there.

    Raises: BlobNotFound, DigestMismatch, StoreError.
    """
    if not content.has(blob.digest):
        with content.ingest(f"{reader.origin}: blob {blob.digest}") as sink:
            _copy(reader, blob, sink, progress)
            sink.commit(expected=blob.digest, size=blob.size)


def _import(
    store: Store,
    reader: LayoutReader,
    named: Sequence[tuple[Reference, Descriptor]],
    progress: Progress,
) -> tuple[Image, ...]:
    targets = list({target.digest: target for _, target in named}.values())
    for target in targets:
        require_storable(store.capabilities, reader, target)
        for visited in walk_image(reader, target):
            reader.require(visited.descriptor)
    with store.lease() as lease:
        _copy_images(reader, targets, lease.content, progress)
        return tuple(store.images.set(str(name), target) for name, target in named)


def _copy_images(
    reader: LayoutReader, targets: Iterable[Descriptor], content: ContentWriter, progress: Progress
) -> None:
    with content.batch() as batch:
        for target in targets:
            for visited in walk_image(reader, target):
                blob = visited.descriptor
                if visited.document is not None:
                    batch.put(reader.read(blob), labels=labels_for(visited.document))
                elif not batch.has(blob.digest):
                    with batch.ingest(f"{reader.origin}: blob {blob.digest}") as sink:
                        _copy(reader, blob, sink, progress)
                        sink.commit(expected=blob.digest, size=blob.size)


def _copy(reader: LayoutReader, blob: Descriptor, sink: Sink, progress: Progress) -> None:
    done = 0
    with reader.open(blob.digest) as stream:
        while chunk := stream.read(CHUNK):
            # A file that grows meanwhile must not fill the disk before its size is checked.
            done += sink.write(chunk[: blob.size + 1 - done])
            progress(blob, done)
            if done > blob.size:
                return
