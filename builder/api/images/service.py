"""The seam between image commands and whoever keeps the images."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    from builder.api.pulling import Pulled
    from builder.api.run_plan import RunWishes
    from builder.oci.descriptor import Descriptor
    from builder.oci.digest import Digest
    from builder.oci.reference import Reference
    from builder.platforms import Platform
    from builder.progress.events import EventSink
    from builder.store.facts import ListedImage
    from builder.store.layout.reader import LayoutReader
    from builder.store.protocol import BlobReader, Image, ImageStore
    from exporter.attest.signing.checking import SignaturePlace


class OpenImage(NamedTuple):
    """An image to read: what has its blobs, its root there, and where signatures over it are, if one asks.

    `elsewhere` is the repository that has the platforms and layers which are not here; empty: all should be.
    """

    reader: BlobReader
    root: Descriptor
    signatures: Callable[[], SignaturePlace]
    elsewhere: str = ""


class Delivered(NamedTuple):
    """What a registry has got: digest and size in bytes of the root."""

    digest: Digest
    size: int


class Loaded(NamedTuple):
    """What came out of an archive, and what people should know of the rest of it."""

    images: tuple[Image, ...]
    warnings: tuple[str, ...] = ()


class ImageService(Protocol):
    """Keeps images. Close it, or use it in a `with` block. `Raises` of all methods: StoreError, InvalidDocument."""

    @property
    def identity(self) -> str:
        """Equal for two services of the same images, and for those only."""
        ...

    @property
    def images(self) -> ImageStore:
        """The names."""
        ...

    def listed(self) -> tuple[ListedImage, ...]:
        """Every image by name, with what a list shows of it."""
        ...

    def reading(self, image: Image) -> AbstractContextManager[OpenImage]:
        """The image as a graph of blobs. Not all of them need be here."""
        ...

    def save(self, images: Sequence[Image], fd: int) -> None:
        """Writes an archive of `images`, with their names, to the descriptor `fd`. Raises: OSError, too."""
        ...

    def load(self, archive: LayoutReader, names: Sequence[Reference]) -> Loaded:
        """Takes the only image of `archive` under `names`, or without any all images under theirs.

        Raises: DriverError for an image that cannot be kept here. All images come in, or none.
        """
        ...

    def pull(
        self,
        name: str,
        *,
        platforms: Sequence[Platform] | None,
        signatures: bool = False,
        on_event: EventSink | None = None,
    ) -> Pulled:
        """Fetches the image `name` from its registry, for `platforms` (None: all), if so with its signatures.

        Raises: RegistryError, InvalidReference, UsageError, Cancelled, too.
        """
        ...

    def push(self, name: str, *, on_event: EventSink | None = None) -> Delivered:
        """Sends the image `name` to its registry. Raises: RegistryError, InvalidReference, Cancelled, too."""
        ...

    def run(self, image: Image, wishes: RunWishes) -> int:
        """Runs a program of the image with this process's streams; its exit code. Raises: Cancelled, too."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
