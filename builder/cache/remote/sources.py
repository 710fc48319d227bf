"""Where caches are read: a repository at a registry, or a directory with an OCI layout.

A source is asked for its documents when a build first needs them, and for a blob when a step needs its bytes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from builder.cache.remote.documents import read_cache
from builder.oci.digest import CHUNK
from builder.registry.errors import NotFound
from builder.store.errors import BlobNotFound, StoreError
from builder.store.layout.files import DirectoryFiles
from builder.store.layout.reader import read_layout

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from builder.cache.remote.places import ImportPlace, LocalCache, RegistryCache
    from builder.cache.remote.stacks import Known
    from builder.oci.descriptor import Descriptor
    from builder.oci.reference import Reference
    from builder.registry.reader import RegistryReader
    from builder.registry.registries import Registries
    from builder.store.layout.reader import LayoutReader
    from builder.store.protocol import BlobReader, ContentWriter


class CacheSource(Protocol):
    """A cache elsewhere. Safe to share between threads once it was read."""

    @property
    def place(self) -> ImportPlace:
        """Where it is."""
        ...

    @property
    def name(self) -> str:
        """What people call it; holds no secret."""
        ...

    @property
    def repository(self) -> Reference | None:
        """The repository at a registry that has the blobs, if one has."""
        ...

    def read(self) -> tuple[Known, ...]:
        """What the cache knows. Raises: DockyardError, OSError."""
        ...

    def has(self, blob: Descriptor) -> bool:
        """Whether the blob is there, as far as can be said without reading it. Raises: DockyardError, OSError."""
        ...

    def blobs(self) -> BlobReader:
        """Its blobs, not verified."""
        ...

    def fetch(self, blob: Descriptor) -> None:
        """Brings a blob into the store, verified. Raises: DockyardError."""
        ...


class RegistrySource:
    """A cache, or an image with one inline, at a registry (`CacheSource`)."""

    def __init__(
        self, place: RegistryCache, registries: Callable[[], Registries], content: ContentWriter
    ) -> None:
        """`registries` are opened when the cache is needed; what is fetched goes to `content`."""
        self.name = str(place.reference)
        self.repository = place.reference
        self.place = place
        self._registries = registries
        self._content = content

    def read(self) -> tuple[Known, ...]:
        """What the cache knows."""
        reader = self._reader()
        return read_cache(reader, reader.resolve(self.place.reference))

    def has(self, blob: Descriptor) -> bool:
        """Whether the registry has the blob."""
        repository = self._reader().repository
        with suppress(NotFound), repository.pull("HEAD", f"blobs/{blob.digest}", headers={"Accept": "*/*"}):
            return True
        return False

    def blobs(self) -> BlobReader:
        """Its blobs."""
        return self._reader()

    def fetch(self, blob: Descriptor) -> None:
        """Brings a blob into the store."""
        from builder.registry.copying import copy_blob
        from builder.registry.sources import note_source

        reader = self._reader()
        copy_blob(reader, blob, self._content)
        note_source(self._content, (blob,), reader.repository)

    def _reader(self) -> RegistryReader:
        # Loaded here because most builds find all they need on this machine.
        from builder.registry.reader import RegistryReader

        repository = self._registries().repository(self.place.reference, insecure=self.place.insecure)
        return RegistryReader(repository)


class LayoutSource:
    """A cache in a directory (`CacheSource`)."""

    repository: Reference | None = None

    def __init__(self, place: LocalCache, content: ContentWriter, stack: ExitStack) -> None:
        """`stack` closes what is opened; what is fetched goes to `content`."""
        self.name = str(place.path)
        self.place = place
        self._content = content
        self._stack = stack
        self._layout: LayoutReader | None = None

    def read(self) -> tuple[Known, ...]:
        """What the cache knows."""
        return read_cache(self._opened(), self._opened().find(self.place.digest or self.place.tag))

    def has(self, blob: Descriptor) -> bool:
        """Whether there is a file for the blob."""
        with suppress(BlobNotFound), self._opened().open(blob.digest):
            return True
        return False

    def blobs(self) -> BlobReader:
        """Its blobs."""
        return self._opened()

    def fetch(self, blob: Descriptor) -> None:
        """Brings a blob into the store."""
        copy_from(self._opened(), blob, self._content)

    def _opened(self) -> LayoutReader:
        if self._layout is None:
            try:
                files = DirectoryFiles(self.place.path)
            except OSError as error:
                raise StoreError(
                    f"local cache import at {self.place.path} not found due to err: {error.strerror}"
                ) from error
            self._layout = self._stack.enter_context(read_layout(files, origin=self.name))
        return self._layout


def copy_from(reader: BlobReader, blob: Descriptor, content: ContentWriter) -> None:
    """Brings `blob` into the store, verified. Raises: BlobNotFound, DigestMismatch, StoreError, OSError."""
    if content.has(blob.digest):
        return
    done = 0
    with reader.open(blob.digest) as stream, content.ingest(f"layer-{blob.digest}") as ingest:
        # One byte more than promised is enough to know; an endless stream must not fill the disk first.
        while chunk := stream.read(min(CHUNK, blob.size + 1 - done)):
            done += ingest.write(chunk)
        ingest.commit(expected=blob.digest, size=blob.size)
