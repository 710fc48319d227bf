"""Images in a store that dockyard reads itself: the embedded ones, or a containerd daemon's."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from builder.api.images.service import Loaded, OpenImage
from builder.oci.manifest import InvalidDocument
from builder.oci.reference import parse_reference
from builder.store.errors import BlobNotFound, DigestMismatch, InvalidLayout
from builder.store.facts import list_images
from builder.store.imagegraph import PARTIAL
from builder.store.layout.archive import write_archive
from builder.store.layout.importer import import_layout, load_layout
from builder.store.layout.names import named_entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from builder.oci.reference import Reference
    from builder.store.facts import ListedImage
    from builder.store.layout.reader import LayoutReader
    from builder.store.protocol import Image, ImageStore, Store
    from exporter.attest.signing.checking import SignaturePlace


class StoredImages:
    """The images of one store (`ImageService`)."""

    def __init__(self, store: Store, root: Path) -> None:
        """Takes `store` over; `root` is the state root that commands work in."""
        self._store = store
        self._root = root

    @property
    def identity(self) -> str:
        """That of the store."""
        return self._store.identity

    @property
    def images(self) -> ImageStore:
        """The names."""
        return self._store.images

    def listed(self) -> tuple[ListedImage, ...]:
        """Every image by name, with what its documents say."""
        return list_images(self._store)

    @contextmanager
    def reading(self, image: Image) -> Iterator[OpenImage]:
        """The image where it is."""

        def signatures() -> SignaturePlace:
            from exporter.attest.signing.stored import StorePlace

            return StorePlace(self._store.content, image.target.digest)

        root = self._store.content.find(image.target.digest)
        elsewhere = "" if root is None else root.labels.get(PARTIAL, "")
        yield OpenImage(self._store.content, image.target, signatures, elsewhere)

    def save(self, images: Sequence[Image], fd: int) -> None:
        """Writes an OCI archive, signatures and all."""
        from builder.api.signing import with_signatures

        content = self._store.content
        named = [named_entry(image.target, parse_reference(image.name)) for image in images]
        try:
            write_archive(content, with_signatures(content, named), fd)
        except BlobNotFound as error:
            raise BlobNotFound(
                error.message, hint="not all of the image is here; `dockyard pull` brings the rest"
            ) from error

    def load(self, archive: LayoutReader, names: Sequence[Reference]) -> Loaded:
        """Takes images in, and the signatures over them: damaged ones are left out, and said so."""
        store = self._store
        images = import_layout(store, archive, names=names) if names else load_layout(store, archive)
        return Loaded(images, tuple(self._adopt_signatures(archive, images)))

    def _adopt_signatures(self, archive: LayoutReader, images: Sequence[Image]) -> Iterator[str]:
        from builder.api.signing import adopt_signatures
        from exporter.attest.signing.errors import SigningError
        from exporter.attest.signing.places import LayoutPlace

        for image in {image.target.digest: image for image in images}.values():
            try:
                adopt_signatures(self._store, LayoutPlace(archive), [image.target])
            except (BlobNotFound, DigestMismatch, InvalidDocument, InvalidLayout, SigningError) as error:
                yield f"signatures over {image.name} were left out: {error.message}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store.close()
