"""`convert()`: the other form of attestations for an image of a store, and what becomes of its signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from builder.oci.descriptor import Descriptor
from builder.store.errors import BlobNotFound
from builder.store.imagegraph import PARTIAL
from exporter.attest.convert import convert_attestations
from exporter.attest.signing.stored import StorePlace, keep_carrier, stored_carriers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.store.protocol import ContentWriter, Image, Store
    from exporter.attest.convert import Conversion


class Converted(msgspec.Struct, frozen=True, kw_only=True):
    """The image's new `root`. `unsigned`: there were signatures over the old root, which are not over this one."""

    root: Descriptor
    unsigned: bool


def convert(store: Store, image: Image, *, artifact: bool, names: Sequence[str]) -> Converted:
    """Gives `names`, which are full, to `image` with its attestations as artifacts or in the older form.

    Signatures over the platforms' images come along, because these are the same.
    Raises: ExportError for an image without attestations; StoreError, InvalidDocument.
    """
    with store.lease() as lease:
        content = lease.content
        try:
            conversion = convert_attestations(content, image.target, artifact=artifact)
        except BlobNotFound as error:
            raise BlobNotFound(
                error.message, hint="not all of the image is here; `dockyard pull` brings the rest"
            ) from error
        with content.batch() as batch:
            for document in conversion.documents:
                batch.put(document.content, labels=document.labels)
        if conversion.documents:
            _carry_over(content, image.target, conversion)
        for name in names:
            store.images.set(name, conversion.root, labels=image.labels)
        signed = StorePlace(content, image.target.digest).carriers(image.target.digest)
    return Converted(root=conversion.root, unsigned=bool(conversion.documents and signed))


def _carry_over(content: ContentWriter, old: Descriptor, conversion: Conversion) -> None:
    """What was known of the old root and holds for the new one: where its rest is, and signatures over images."""
    blob = content.find(old.digest)
    if blob is not None and PARTIAL in blob.labels:
        content.update_labels(conversion.root.digest, {PARTIAL: blob.labels[PARTIAL]})
    for each in conversion.images:
        for carrier in stored_carriers(content, old.digest, each):
            keep_carrier(content, conversion.root.digest, carrier)
