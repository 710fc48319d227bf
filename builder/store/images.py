"""Names of images: each points at the root of an image's graph, and keeps the graph from being collected."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.descriptor import Descriptor
from builder.oci.digest import decode_hook, encode_json
from builder.store.errors import BlobNotFound, ImageNotFound
from builder.store.protocol import Image
from builder.store.tables import Labels, decode_labels, encode_labels

if TYPE_CHECKING:
    from collections.abc import Callable

    from builder.store.database import Database

_COLUMNS: Final = "name, target, labels, created_at, updated_at"
_targets: Final = msgspec.json.Decoder(Descriptor, dec_hook=decode_hook)


class Images:
    """The names of one namespace (`builder.store.protocol.ImageStore`)."""

    def __init__(
        self,
        database: Database,
        namespace: str,
        *,
        require_storable: Callable[[Descriptor], None] = lambda _: None,
    ) -> None:
        """`require_storable` raises DriverError for targets that this store cannot hold."""
        self._database = database
        self._namespace = namespace
        self._require_storable = require_storable

    def find(self, name: str) -> Image | None:
        """The image of that name; None when there is none."""
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM images WHERE namespace = ? AND name = ?", (self._namespace, name)
        )
        return _image(rows[0]) if rows else None

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
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM images WHERE namespace = ? ORDER BY name", (self._namespace,)
        )
        return tuple(map(_image, rows))

    def set(self, name: str, target: Descriptor, *, labels: Labels | None = None) -> Image:
        """Gives `target` the name, taking it from whoever had it.

        Raises: BlobNotFound when the target is not in the store; DriverError when the store cannot hold it.
        """
        self._require_storable(target)
        now = time.time()
        with self._database.write() as cursor:
            key = (self._namespace, target.digest)
            if not self._database.read("SELECT 1 FROM content WHERE namespace = ? AND digest = ?", key):
                raise BlobNotFound(f"cannot name {target.digest} {name!r}: the blob is not in the store")
            cursor.execute(
                f"INSERT INTO images (namespace, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET target = excluded.target, labels = excluded.labels, "
                "updated_at = excluded.updated_at",
                (
                    self._namespace,
                    name,
                    encode_json(target).decode(),
                    encode_labels(labels or {}),
                    now,
                    now,
                ),
            )
            return self.get(name)

    def delete(self, name: str) -> bool:
        """Takes the name away; False when there was none. Blobs stay until the next collection."""
        with self._database.write() as cursor:
            cursor.execute("DELETE FROM images WHERE namespace = ? AND name = ?", (self._namespace, name))
            return cursor.rowcount > 0


def _image(row: tuple[str, str, str, float, float]) -> Image:
    name, target, labels, created_at, updated_at = row
    return Image(
        name=name,
        target=_targets.decode(target),
        labels=decode_labels(labels),
        created_at=created_at,
        updated_at=updated_at,
    )
