"""Base images: from a name to the layers of one platform.

An image is found in the store or in an OCI layout. Finding it reads its documents only; a layer is brought into
the store when a step or the exporter asks for its bytes, because most builds never do.
"""

from __future__ import annotations

import threading
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from builder.oci.digest import CHUNK, Digest, chain_id
from builder.oci.manifest import InvalidDocument
from builder.oci.reference import Reference, parse_reference
from builder.source.errors import ImageNotFound
from builder.store.errors import NoMatchingPlatform
from builder.store.imagegraph import PlatformManifest, resolve_platform
from builder.store.layout.reader import open_layout

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from builder.graph import Image
    from builder.oci.descriptor import Descriptor
    from builder.platforms import Platform
    from builder.snapshot.layerdb import LayerID
    from builder.snapshot.layers import Layers
    from builder.source.contexts import LayoutContext
    from builder.store.layout.reader import LayoutReader
    from builder.store.protocol import BlobReader, Lease, Store


class FoundImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image for one platform. `reference` is its full name; `found` its documents."""

    reference: Reference
    found: PlatformManifest


class Images:
    """The images of one build. Safe to share between threads."""

    def __init__(
        self, store: Store, lease: Lease, layers: Layers, *, scratch: Path, stack: ExitStack
    ) -> None:
        """`scratch` is a directory for what archives need while they are open; `stack` closes them."""
        self._store = store
        self._lease = lease
        self._layers = layers
        self._scratch = scratch
        self._stack = stack
        self._layouts: dict[Path, LayoutReader] = {}
        self._found: dict[Digest, tuple[PlatformManifest, BlobReader]] = {}
        self._guard = threading.Lock()

    def from_store(self, name: str, platform: Platform) -> FoundImage:
        """The image that `name`, as people write it, has in the store.

        Raises: ImageNotFound, InvalidReference, StoreError, InvalidDocument.
        """
        reference = parse_reference(name)
        image = self._store.images.find(str(reference))
        if image is None:
            raise ImageNotFound(
                f"{name}: failed to resolve source metadata for {reference}: not in the image store",
                hint="registries are not supported yet: bring the image in with `dockyard load`, "
                "or name it with --build-context",
            )
        return self._resolve(reference, image.target, self._store.content, platform)

    def from_layout(self, context: LayoutContext, name: str, platform: Platform) -> FoundImage:
        """The image in an OCI layout, called `name` in messages.

        Raises: ImageNotFound, StoreError, InvalidDocument.
        """
        layout = self._layout(context.path)
        root = layout.find(context.digest or context.tag or None)
        return self._resolve(parse_reference(name), root, layout, platform)

    def layers(self, operation: Image) -> tuple[LayerID, ...]:
        """The layers of an image, lowest first: one that was found before, or that the store has.

        Raises: ImageNotFound, StoreError, InvalidDocument.
        """
        if operation.digest not in self._found:
            here = self.from_store(operation.reference, operation.platform).found.descriptor.digest
            if here != operation.digest:
                raise ImageNotFound(
                    f"{operation.reference} is {here} in the store, but the graph was made for {operation.digest}"
                )
        return self.register(*self._found[operation.digest])

    def register(self, found: PlatformManifest, reader: BlobReader) -> tuple[LayerID, ...]:
        """Makes the layers of an image known, lowest first; `reader` has their blobs when they are needed.

        Raises: InvalidDocument for an image whose manifest and config disagree.
        """
        diff_ids = found.config.diff_ids
        if len(diff_ids) != len(found.manifest.layers):
            raise InvalidDocument(
                f"image {found.descriptor.digest} is inconsistent: {len(found.manifest.layers)} layers, "
                f"{len(diff_ids)} diff ids"
            )
        created_ns = _nanoseconds(found.config.created)
        return tuple(
            self._layers.image(
                chain_id(diff_ids[: n + 1]),
                blob,
                diff_ids[n],
                created_ns=created_ns,
                fetch=lambda wanted: self._fetch(reader, wanted),
            )
            for n, blob in enumerate(found.manifest.layers)
        )

    def _layout(self, path: Path) -> LayoutReader:
        if path not in self._layouts:
            self._layouts[path] = self._stack.enter_context(open_layout(path, scratch=self._scratch))
        return self._layouts[path]

    def _resolve(
        self, reference: Reference, root: Descriptor, reader: BlobReader, platform: Platform
    ) -> FoundImage:
        try:
            found = resolve_platform(reader, root, platform)
        except NoMatchingPlatform as error:
            raise ImageNotFound(
                f"{reference.familiar}: failed to resolve source metadata for {reference}: {error.message}"
            ) from error
        with self._guard:
            self._found[found.descriptor.digest] = (found, reader)
        return FoundImage(reference=reference, found=found)

    def _fetch(self, reader: BlobReader, blob: Descriptor) -> None:
        if self._lease.content.has(blob.digest):
            return
        with reader.open(blob.digest) as stream, self._lease.content.ingest(f"layer-{blob.digest}") as ingest:
            while chunk := stream.read(CHUNK):
                ingest.write(chunk)
            ingest.commit(expected=blob.digest, size=blob.size)


def _nanoseconds(created: str | None) -> int:
    """A time in RFC 3339 as nanoseconds since the epoch; 0 for none, or for one that nobody can read."""
    if not created:
        return 0
    try:
        return int(datetime.fromisoformat(created).timestamp()) * 1_000_000_000
    except ValueError:
        return 0
