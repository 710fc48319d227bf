"""An assembled image into a store: layers checked, documents written, names set last.

A killed export leaves documents that no name reaches; a name never points at something incomplete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.store.errors import BlobNotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.oci.reference import Reference
    from builder.store.protocol import ContentWriter, Image, ImageStore, Lease
    from exporter.assemble import Assembled

_UNCOMPRESSED: Final = "containerd.io/uncompressed"


def write_image(assembled: Assembled, content: ContentWriter) -> None:
    """Makes the documents blobs, under the lease of `content`, where the layers have to be already.

    Costs next to nothing when all is there. Raises: BlobNotFound, StoreError.
    """
    for platform in assembled.platforms:
        for layer in platform.layers:
            if not content.has(layer.descriptor.digest):
                raise BlobNotFound(
                    f"layer {layer.descriptor.digest} of {platform.platform} is not in the store"
                )
            content.update_labels(layer.descriptor.digest, {_UNCOMPRESSED: str(layer.diff_id)})
    with content.batch() as batch:
        for document in assembled.documents:
            batch.put(document.content, labels=document.labels)


def store_image(
    assembled: Assembled, lease: Lease, images: ImageStore, *, names: Sequence[Reference]
) -> tuple[Image, ...]:
    """Writes the image and gives it `names`, each once, taking them from whoever had them.

    Raises: DriverError for an image that the store cannot hold; BlobNotFound, StoreError.
    """
    write_image(assembled, lease.content)
    return tuple(images.set(name, assembled.root) for name in dict.fromkeys(map(str, names)))
