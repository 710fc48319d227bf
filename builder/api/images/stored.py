"""Images in a store that dockyard reads itself: the embedded ones, or a containerd daemon's."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Self

from builder.api.images.service import Delivered, Loaded, OpenImage
from builder.oci.manifest import InvalidDocument
from builder.oci.reference import parse_reference
from builder.store.errors import BlobNotFound, DigestMismatch, InvalidLayout
from builder.store.facts import list_images
from builder.store.imagegraph import PARTIAL
from builder.store.layout.archive import write_archive
from builder.store.layout.importer import import_layout, load_layout
from builder.store.layout.names import named_entry
from builder.store.selection import open_daemon, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from builder.api.pulling import Pulled
    from builder.api.run_plan import RunWishes
    from builder.oci.reference import Reference
    from builder.platforms import Platform
    from builder.progress.events import EventSink
    from builder.store.containerd.address import Address
    from builder.store.facts import ListedImage
    from builder.store.layout.reader import LayoutReader
    from builder.store.protocol import Image, ImageStore, Store
    from exporter.attest.signing.checking import SignaturePlace


class StoredImages:
    """The images of one store (`ImageService`)."""

    def __init__(self, store: Store, root: Path, *, driver: str | None, address: Address | None) -> None:
        """Takes `store` over: that of `driver` and `address` on the state root `root` (see `open_selected`)."""
        self._store = store
        self._root = root
        self._driver = driver
        self._address = address

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

    def pull(
        self,
        name: str,
        *,
        platforms: Sequence[Platform] | None,
        signatures: bool = False,
        on_event: EventSink | None = None,
    ) -> Pulled:
        """Fetches what the store lacks of the image."""
        from builder.api.pulling import pull

        return pull(self._store, name, platforms=platforms, signatures=signatures, on_event=on_event)

    def push(self, name: str, *, on_event: EventSink | None = None) -> Delivered:
        """Sends what the registry lacks of the image."""
        from builder.api.pushing import push, uploads_of

        pushed = push(self._store, name, uploads=uploads_of(self._root), on_event=on_event)
        return Delivered(pushed.root.digest, pushed.root.size)

    def run(self, image: Image, wishes: RunWishes) -> int:
        """Runs a program here, on layers that are unpacked in the state root."""
        from builder.api.running import run_image

        with ExitStack() as stack:
            work = stack.enter_context(open_store(self._root, driver=self._driver))
            daemon = open_daemon(work.root, driver=self._driver, address=self._address)
            if daemon is not None:
                stack.enter_context(daemon)
            return run_image(work, image.target, wishes, daemon=daemon)

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
