"""An assembled image into a store: layers checked, documents written, names set last.

A killed export leaves documents that no name reaches; a name never points at something incomplete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from builder.store.errors import BlobNotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.oci.descriptor import Descriptor
    from builder.oci.digest import Digest
    from builder.store.protocol import ContentWriter, Image, ImageStore, Lease
    from exporter.assemble import Assembled
    from exporter.outputs import ImageOutput

_UNCOMPRESSED: Final = "containerd.io/uncompressed"


def write_image(assembled: Assembled, content: ContentWriter, *, incomplete: bool = False) -> None:
    """Makes the documents blobs, under the lease of `content`, where the layers have to be already.

    An image that may be `incomplete` is written without some of its layers. Costs next to nothing when all is
    there. Raises: BlobNotFound, StoreError.
    """
    for platform in assembled.platforms:
        for layer in platform.layers:
            if not content.has(layer.descriptor.digest):
                if incomplete:
                    continue
                raise BlobNotFound(
                    f"layer {layer.descriptor.digest} of {platform.platform} is not in the store"
                )
            content.update_labels(layer.descriptor.digest, {_UNCOMPRESSED: str(layer.diff_id)})
    with content.batch() as batch:
        for document in assembled.documents:
            batch.put(document.content, labels=document.labels)


def uncompressed_labels(assembled: Assembled) -> dict[Digest, dict[str, str]]:
    """The labels that layers bear besides those of documents: what they are when uncompressed."""
    return {
        layer.descriptor.digest: {_UNCOMPRESSED: str(layer.diff_id)}
        for platform in assembled.platforms
        for layer in platform.layers
    }


def store_image(
    assembled: Assembled,
    lease: Lease,
    images: ImageStore,
    *,
    names: Sequence[str],
    incomplete: bool = False,
) -> tuple[Image, ...]:
    """Writes the image and gives it `names`, which are full, each once, taking them from whoever had them.

    For `incomplete` see `write_image`. Raises: DriverError for an image that the store cannot hold;
    BlobNotFound, StoreError.
    """
    write_image(assembled, lease.content, incomplete=incomplete)
    return tuple(images.set(name, assembled.root) for name in dict.fromkeys(names))


def image_names(output: ImageOutput, root: Descriptor) -> tuple[str, ...]:
    """The full names that `output` gives to the image below `root` in a store. Raises: InvalidReference."""
    names = [str(reference) for reference in output.references]
    if output.name_canonical:
        pinned = (replace(each, tag="", digest=root.digest) for each in output.references)
        names += map(str, pinned)
    if output.dangling_prefix and not (names and output.dangling_only_unnamed):
        names.append(f"{output.dangling_prefix}@{root.digest}")
    return tuple(dict.fromkeys(names))
