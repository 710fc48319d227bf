"""An image from one place into a store: how a build gets to a daemon, and an image from store to store.

Only what the target lacks is sent. Layers and configs come first, then the documents that point at them, the
root last, and the names when all is there: at no moment does the target have a name for half an image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.oci.digest import CHUNK
from builder.store.admission import require_storable
from builder.store.imagegraph import labels_for, walk_image
from builder.store.layout.importer import no_progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from builder.oci.descriptor import Descriptor
    from builder.oci.digest import Digest
    from builder.store.imagegraph import Visited
    from builder.store.layout.importer import Progress
    from builder.store.protocol import BlobReader, ContentWriter, Image, Store
    from builder.store.tables import Labels


def copy_image(
    source: BlobReader,
    root: Descriptor,
    target: Store,
    *,
    names: Sequence[str],
    labels: Mapping[Digest, Labels] | None = None,
    progress: Progress = no_progress,
) -> tuple[Image, ...]:
    """Copies the image below `root` and gives it `names`, full ones, taking them from whoever had them.

    `labels` are for blobs, besides those that keep what documents point at. `progress` hears of what is sent
    only. Raises: DriverError for an image that `target` cannot hold; BlobNotFound, DigestMismatch,
    InvalidDocument, StoreError. No name is set then, and an attempt that is repeated goes on where this ended
    as far as `target` can.
    """
    require_storable(target.capabilities, source, root)
    visited = list(walk_image(source, root))
    leaves = [each.descriptor for each in visited if each.document is None]
    with target.lease() as lease:
        for blob in leaves:
            _copy_blob(source, blob, lease.content, progress)
            if labels and blob.digest in labels:
                lease.content.update_labels(blob.digest, labels[blob.digest])
        for document in reversed(visited):
            _copy_document(source, document, lease.content)
        return tuple(target.images.set(name, root) for name in dict.fromkeys(names))


def _copy_blob(source: BlobReader, blob: Descriptor, content: ContentWriter, progress: Progress) -> None:
    if content.has(blob.digest):
        return
    done = 0
    with source.open(blob.digest) as stream, content.ingest(f"blob-{blob.digest}") as sink:
        # One byte more than promised is enough to know that the size is wrong.
        while chunk := stream.read(min(CHUNK, blob.size + 1 - done)):
            done += sink.write(chunk)
            progress(blob, done)
        sink.commit(expected=blob.digest, size=blob.size)


def _copy_document(source: BlobReader, visited: Visited, content: ContentWriter) -> None:
    if visited.document is not None:
        content.put(source.read(visited.descriptor), labels=labels_for(visited.document))
