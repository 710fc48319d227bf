"""The names of a daemon's namespace (`builder.store.protocol.ImageStore`).

Others name things there, too: an image whose digest dockyard cannot verify is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest, InvalidDigest
from builder.store.containerd import methods
from builder.store.containerd.content import seconds
from builder.store.containerd.errors import AlreadyExists, NotFound
from builder.store.errors import BlobNotFound, ImageNotFound
from builder.store.protocol import Image

if TYPE_CHECKING:
    from builder.store.containerd.connection import Connection
    from builder.store.containerd.content import ContainerdContent
    from builder.store.containerd.methods import ImageFields
    from builder.store.tables import Labels


class ContainerdImages:
    """The names of one namespace. Safe to share between threads."""

    def __init__(self, connection: Connection, content: ContainerdContent) -> None:
        self._connection = connection
        self._content = content

    def find(self, name: str) -> Image | None:
        """The image of that name; None when there is none."""
        try:
            return _image(self._connection.call(methods.IMAGE_GET, name=name).image)
        except NotFound:
            return None

    def get(self, name: str) -> Image:
        """The image of that name. Raises: ImageNotFound."""
        image = self.find(name)
        if image is None:
            raise ImageNotFound(
                f"no image {name!r} in this store", hint="`dockyard images` lists what there is"
            )
        return image

    def all(self) -> tuple[Image, ...]:
        """Every image, by name."""
        listed = map(_image, self._connection.call(methods.IMAGE_LIST).images)
        return tuple(sorted((image for image in listed if image), key=lambda image: image.name))

    def set(self, name: str, target: Descriptor, *, labels: Labels | None = None) -> Image:
        """Gives `target` the name, taking it from whoever had it.

        Raises: BlobNotFound when the target is not in the store.
        """
        if self._content.find(target.digest) is None:
            raise BlobNotFound(f"cannot name {target.digest} {name!r}: the blob is not in the store")
        fields = {
            "name": name,
            "labels": labels or {},
            "target": {
                "media_type": target.media_type,
                "digest": target.digest,
                "size": target.size,
                "annotations": target.annotations,
            },
        }
        while True:
            # One of the two fits, unless others name and unname at the same moment.
            try:
                self._connection.call(methods.IMAGE_UPDATE, image=fields)
            except NotFound:
                try:
                    self._connection.call(methods.IMAGE_CREATE, image=fields)
                except AlreadyExists:
                    continue
            return self.get(name)

    def delete(self, name: str) -> bool:
        """Takes the name away; False when there was none. Blobs stay until the daemon collects."""
        try:
            self._connection.call(methods.IMAGE_DELETE, name=name)
        except NotFound:
            return False
        return True


def _image(fields: ImageFields) -> Image | None:
    try:
        digest = Digest.parse(fields.target.digest)
    except InvalidDigest:
        return None
    return Image(
        name=fields.name,
        target=Descriptor(
            media_type=fields.target.media_type,
            digest=digest,
            size=fields.target.size,
            annotations=dict(fields.target.annotations),
        ),
        labels=dict(fields.labels),
        created_at=seconds(fields.created_at),
        updated_at=seconds(fields.updated_at),
    )
