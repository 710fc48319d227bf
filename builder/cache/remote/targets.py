"""Where caches are written: a repository at a registry, or a directory with an OCI layout.

Blobs come first and the name last, so that nobody ever finds half a cache under it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from builder.cache.remote.documents import cache_documents
from builder.registry.nearby import NearbyFirst
from builder.store.imagegraph import walk_image
from builder.store.layout.directory import write_directory
from builder.store.layout.files import DirectoryFiles
from builder.store.layout.names import REF_NAME
from builder.store.layout.reader import read_layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from builder.cache.remote.documents import CacheDocuments
    from builder.cache.remote.places import CacheExport, LocalCache, RegistryCache
    from builder.cache.remote.stacks import CachedStep
    from builder.oci.descriptor import Descriptor
    from builder.registry.push import Mounts
    from builder.registry.registries import Registries
    from builder.registry.uploads import Uploads
    from builder.registry.watching import Transfer
    from builder.store.protocol import BlobReader, ContentWriter

_BLOBS: Final = "blobs/sha256"


class Report(Protocol):
    """Shows how far an export is."""

    def __call__(
        self, part: str, /, *, current: int = 0, total: int | None = None, done: bool = False
    ) -> None:
        """`part`, as in `writing layer sha256:...`, is at `current` bytes."""
        ...


class CacheTarget(Protocol):
    """A place for one cache."""

    title: str
    """What its vertex is called."""

    needs_layers: bool
    """Whether all blobs must be in the content store, because it asks for each of them."""

    def write(self, steps: Sequence[CachedStep], report: Report) -> int:
        """Makes the cache hold `steps`, in place of what it held; returns the bytes of its description.

        Raises: DockyardError, OSError.
        """
        ...


class RegistryTarget:
    """Pushes the cache (`CacheTarget`); layers that the registry has, or can mount, are not sent."""

    title = "exporting cache to registry"
    needs_layers = False

    def __init__(
        self,
        export: CacheExport,
        place: RegistryCache,
        registries: Callable[[], Registries],
        content: ContentWriter,
        *,
        far: BlobReader,
        lend: Mounts,
        uploads: Uploads,
    ) -> None:
        """`far` has blobs that `content` lacks; `lend` knows repositories that have a blob."""
        self._export = export
        self._place = place
        self._registries = registries
        self._content = content
        self._far = far
        self._lend = lend
        self._uploads = uploads

    def write(self, steps: Sequence[CachedStep], report: Report) -> int:
        """Pushes layers, then config and manifest, the tag last."""
        from builder.registry.push import push_image
        from builder.registry.sources import lenders, note_source

        documents = _documents(steps, self._export)
        _put(documents, self._content)
        registries = self._registries()
        repository = registries.repository(self._place.reference, insecure=self._place.insecure)

        def watch(transfer: Transfer) -> None:
            ended = transfer.state != "moving"
            label = _label(documents, transfer.blob)
            report(label, current=transfer.moved, total=transfer.blob.size if not ended else None, done=ended)

        pushed = push_image(
            repository,
            NearbyFirst(self._content, lambda: self._far),
            documents.root,
            tags=(self._place.reference.tag,) if self._place.reference.tag else (),
            mounts=lambda blob: (*self._lend(blob), *lenders(self._content, blob.digest, repository)),
            uploads=self._uploads,
            watch=watch,
            cancelled=registries.cancelled,
        )
        report(_manifest_label(documents), done=True)
        note_source(self._content, (*pushed.sent, *pushed.mounted, *pushed.present), repository)
        return max(documents.root.size, documents.config.size)


class LayoutTarget:
    """Adds the cache to a directory (`CacheTarget`)."""

    title = "exporting cache to client directory"
    needs_layers = True

    def __init__(self, export: CacheExport, place: LocalCache, content: ContentWriter) -> None:
        self._export = export
        self._place = place
        self._content = content

    def write(self, steps: Sequence[CachedStep], report: Report) -> int:
        """Writes layers, config and manifest, and the entry of the tag last."""
        documents = _documents(steps, self._export)
        _put(documents, self._content)
        entry = msgspec.structs.replace(documents.root, annotations={REF_NAME: self._place.tag})
        write_directory(
            self._content,
            [entry],
            self._place.path,
            progress=lambda blob, size: report(_label(documents, blob), current=size, done=True),
        )
        if self._place.reset:
            remove_unreachable(self._place.path)
        return max(documents.root.size, documents.config.size)


def remove_unreachable(path: Path) -> None:
    """Removes the blobs of the layout at `path` that no entry of its `index.json` needs. Raises: DockyardError."""
    with read_layout(DirectoryFiles(path), origin=str(path)) as layout:
        kept = {each.descriptor.digest.hex for entry in layout.entries for each in walk_image(layout, entry)}
    for name in os.listdir(path / _BLOBS):
        if name not in kept:
            (path / _BLOBS / name).unlink(missing_ok=True)


def _documents(steps: Iterable[CachedStep], export: CacheExport) -> CacheDocuments:
    return cache_documents(steps, image_manifest=export.image_manifest, oci_types=export.oci_types)


def _put(documents: CacheDocuments, content: ContentWriter) -> None:
    content.put(documents.config_content)
    content.put(documents.manifest)


def _label(documents: CacheDocuments, blob: Descriptor) -> str:
    if blob.digest == documents.config.digest:
        return f"writing config {blob.digest}"
    if blob.digest == documents.root.digest:
        return _manifest_label(documents)
    return f"writing layer {blob.digest}"


def _manifest_label(documents: CacheDocuments) -> str:
    return f"writing cache image manifest {documents.root.digest}"
