"""Base images: from a name to the layers of one platform.

An image is found in the store, at its registry or in an OCI layout. Finding it reads its documents only; a
layer is brought into the store when a step or the exporter asks for its bytes, because most builds never do.
"""

from __future__ import annotations

import threading
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from builder.oci.digest import CHUNK, Digest, chain_id
from builder.oci.manifest import InvalidDocument
from builder.oci.reference import Reference, parse_reference
from builder.platforms import Platform
from builder.registry.errors import NotFound, RegistryError
from builder.registry.nearby import NearbyFirst
from builder.source.errors import ImageNotFound, SourceError
from builder.source.kept import KeptFirst
from builder.source.origins import Origin, Origins
from builder.store.errors import NoMatchingPlatform
from builder.store.imagegraph import PARTIAL, PlatformManifest, resolve_platform
from builder.store.layout.reader import open_layout
from builder.system.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    from builder.graph import Image
    from builder.oci.descriptor import Descriptor
    from builder.registry.reader import RegistryReader
    from builder.registry.registries import Registries
    from builder.snapshot.layerdb import LayerID
    from builder.snapshot.layers import Layers
    from builder.snapshot.origins import BlobFetcher
    from builder.source.contexts import LayoutContext
    from builder.store.layout.reader import LayoutReader
    from builder.store.protocol import BlobReader, Lease, Store


class FoundImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image for one platform. `reference` is its full name; `found` its documents."""

    reference: Reference
    found: PlatformManifest


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    """What a name stood for: `root` is what it names, an index mostly, `manifest` that of `platform` in it.

    `layout`: it was found in an OCI layout, under a name that the caller made up.
    """

    reference: Reference
    platform: Platform
    root: Digest
    manifest: Digest
    layout: bool = False


class Documents(Value, frozen=True):
    """What is said of an image: its `root`, and what reads, verified, all that is below it.

    It is of a `layout`, or of a repository that `remote` opens.
    """

    root: Descriptor
    reader: BlobReader
    layout: LayoutReader | None = None
    remote: Callable[[], RegistryReader] | None = None


class Images:
    """The images of one build. Safe to share between threads."""

    def __init__(
        self,
        store: Store,
        lease: Lease,
        layers: Layers,
        *,
        scratch: Path,
        stack: ExitStack,
        registries: Callable[[], Registries] | None = None,
        origins: Origins | None = None,
        refresh: bool = False,
    ) -> None:
        """`scratch` is a directory for what archives need while they are open; `stack` closes them.

        `origins` learn where the layers of images are. `registries` are opened when the store lacks something;
        with `refresh` they say what a tag stands for, whatever the store says.
        """
        self._registries = registries
        self._origins = origins or Origins()
        self._refresh = refresh
        self._remotes: dict[str, RegistryReader] = {}
        self._roots: dict[Reference, Descriptor] = {}
        self._store = store
        self._lease = lease
        self._layers = layers
        self._scratch = scratch
        self._stack = stack
        self._layouts: dict[Path, LayoutReader] = {}
        self._found: dict[Digest, tuple[PlatformManifest, BlobFetcher]] = {}
        self._guard = threading.Lock()
        self._meanings: dict[Meaning, Documents] = {}

    @property
    def meanings(self) -> tuple[Meaning, ...]:
        """What was found so far, each once, in no order that could be relied upon."""
        with self._guard:
            return tuple(self._meanings)

    def documents(self, meaning: Meaning) -> Documents:
        """What is said of an image that was found before."""
        return self._meanings[meaning]

    def from_store(self, name: str, platform: Platform) -> FoundImage:
        """The image that `name`, as people write it, has in the store, or else at its registry.

        Raises: ImageNotFound, SourceError, InvalidReference, StoreError, InvalidDocument.
        """
        reference = parse_reference(name)
        image = self._store.images.find(str(reference))
        if image is not None and (reference.digest or not self._refresh):
            # Of an index the store may have some platforms only.
            return self._near(reference, image.target, platform)
        if self._registries is None:
            raise ImageNotFound(
                f"{reference}: not in the image store",
                hint="bring the image in with `dockyard pull` or `dockyard load`",
            )
        try:
            return self._near(reference, self._root(reference), platform)
        except RegistryError as error:
            kind = ImageNotFound if isinstance(error, NotFound) else SourceError
            raise kind(error.message, hint=error.hint) from error

    def from_layout(self, context: LayoutContext, name: str, platform: Platform) -> FoundImage:
        """The image in an OCI layout, called `name` in messages.

        Raises: ImageNotFound, StoreError, InvalidDocument.
        """
        layout = self._layout(context.path)
        root = layout.find(context.digest or context.tag or None)
        origin = Origin(open=lambda: layout)
        return self._resolve(
            parse_reference(name),
            Documents(root, layout, layout=layout),
            platform,
            fetch=self.fetcher(layout),
            origin=origin,
        )

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

    def register(self, found: PlatformManifest, fetch: BlobFetcher) -> tuple[LayerID, ...]:
        """Makes the layers of an image known, lowest first; `fetch` brings their blobs when they are needed.

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
                fetch=fetch,
            )
            for n, blob in enumerate(found.manifest.layers)
        )

    def fetcher(self, reader: BlobReader) -> BlobFetcher:
        """Brings blobs from `reader` into the store."""
        return lambda blob: self._fetch(reader, blob)

    def _layout(self, path: Path) -> LayoutReader:
        if path not in self._layouts:
            self._layouts[path] = self._stack.enter_context(open_layout(path, scratch=self._scratch))
        return self._layouts[path]

    def _near(self, reference: Reference, root: Descriptor, platform: Platform) -> FoundImage:
        whole = self._whole(reference, root)
        kept = KeptFirst(self._store.content, lambda: self._remote(whole))
        reader = NearbyFirst(self._lease.content, lambda: kept)
        origin = Origin(open=lambda: kept, repository=whole)
        return self._resolve(
            reference,
            Documents(root, reader, remote=lambda: self._remote(whole)),
            platform,
            fetch=lambda blob: self._download(whole, blob),
            origin=origin,
        )

    def _whole(self, reference: Reference, root: Descriptor) -> Reference:
        """The repository that has all of the image, of which the store may have a part under another name."""
        kept = self._store.content.find(root.digest)
        name = kept.labels.get(PARTIAL) if kept is not None else None
        return parse_reference(name) if name else reference

    def _download(self, reference: Reference, blob: Descriptor) -> None:
        from builder.registry.copying import copy_blob
        from builder.registry.sources import note_source

        content = self._lease.content
        if content.has(blob.digest):
            return
        if self._store.content.find(blob.digest) is not None:
            self._fetch(self._store.content, blob)
            return
        remote = self._remote(reference)
        copy_blob(remote, blob, content)
        note_source(content, (blob,), remote.repository)

    def _remote(self, reference: Reference) -> RegistryReader:
        """The repository of `reference`, asked for what the store lacks."""
        # Loaded here because most builds find all they need in the store.
        from builder.registry.reader import RegistryReader

        if self._registries is None:
            raise ImageNotFound(f"{reference} is not complete in the image store")
        with self._guard:
            if reference.repository not in self._remotes:
                repository = self._registries().repository(reference)
                self._remotes[reference.repository] = RegistryReader(repository)
            return self._remotes[reference.repository]

    def _root(self, reference: Reference) -> Descriptor:
        """What the registry says that a name stands for, asked once for a build."""
        if reference not in self._roots:
            self._roots[reference] = self._remote(reference).resolve(reference)
        return self._roots[reference]

    def _resolve(
        self,
        reference: Reference,
        documents: Documents,
        platform: Platform,
        *,
        fetch: BlobFetcher,
        origin: Origin,
    ) -> FoundImage:
        try:
            found = resolve_platform(documents.reader, documents.root, platform)
        except NoMatchingPlatform as error:
            raise ImageNotFound(
                f"{reference.familiar}: failed to resolve source metadata for {reference}: {error.message}"
            ) from error
        self._origins.note(found.manifest.layers, origin)
        meaning = Meaning(
            reference=reference,
            platform=found.platform,
            root=documents.root.digest,
            manifest=found.descriptor.digest,
            layout=documents.layout is not None,
        )
        with self._guard:
            self._found[found.descriptor.digest] = (found, fetch)
            self._meanings[meaning] = documents
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
