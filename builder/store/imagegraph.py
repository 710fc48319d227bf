"""The graph of blobs below an image: index, manifests, configs, layers.

Whoever follows an image's graph does it here, because the documents are other people's: they may nest
without end, list themselves, name thousands of children, or call an index a manifest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.config import ImageConfig, decode_config
from builder.oci.descriptor import Descriptor
from builder.oci.manifest import Index, InvalidDocument, Manifest, decode_index, decode_manifest
from builder.oci.mediatypes import INDEXES, MANIFESTS
from builder.platforms import Platform, best_match
from builder.store.errors import NoMatchingPlatform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from builder.oci.digest import Digest
    from builder.store.protocol import ContentReader, DocumentReader

MAX_DEPTH: Final = 4
"""Indexes that may stand inside each other."""

MAX_BLOBS: Final = 20_000
"""Blobs that one image may have."""

GC_CONTENT: Final = "containerd.io/gc.ref.content"
PARTIAL: Final = "dockyard/source"
"""Label of a root of which some platforms or layers are not in the store: the repository that has them."""

REFERENCE_TYPE: Final = "vnd.docker.reference.type"


class Visited(msgspec.Struct, frozen=True):
    """A blob of an image's graph, with its document if it is a manifest or an index."""

    descriptor: Descriptor
    document: Manifest | Index | None = None

    @property
    def children(self) -> tuple[Descriptor, ...]:
        """What the document points at."""
        return () if self.document is None else children(self.document)


class PlatformManifest(msgspec.Struct, frozen=True, kw_only=True):
    """An image for one platform. `platform` is what its config says."""

    descriptor: Descriptor
    manifest: Manifest
    config: ImageConfig

    @property
    def platform(self) -> Platform:
        """The platform that the image was made for."""
        return self.config.platform


def children(document: Manifest | Index) -> tuple[Descriptor, ...]:
    """What a document points at: of a manifest its config and layers, of an index its manifests."""
    if isinstance(document, Index):
        return document.manifests
    return (document.config, *document.layers)


def labels_for(document: Manifest | Index) -> dict[str, str]:
    """The labels that keep what `document` points at from the collector, numbered as BuildKit does."""
    return {f"{GC_CONTENT}.{number}": str(each.digest) for number, each in enumerate(children(document))}


def read_manifest(reader: DocumentReader, descriptor: Descriptor) -> Manifest:
    """The manifest that `descriptor` points at. Raises: StoreError, InvalidDocument."""
    return decode_manifest(reader.read(descriptor), descriptor.media_type)


def read_index(reader: DocumentReader, descriptor: Descriptor) -> Index:
    """The index that `descriptor` points at. Raises: StoreError, InvalidDocument."""
    return decode_index(reader.read(descriptor), descriptor.media_type)


def read_config(reader: DocumentReader, manifest: Manifest) -> ImageConfig:
    """The config of the image. Raises: StoreError, InvalidDocument."""
    return decode_config(reader.read(manifest.config))


def is_attestation(descriptor: Descriptor) -> bool:
    """Whether an entry of an index says something about an image instead of being one."""
    if REFERENCE_TYPE in descriptor.annotations:
        return True
    platform = descriptor.platform
    return platform is not None and platform.os == platform.architecture == "unknown"


def walk_here(content: ContentReader, root: Descriptor) -> Iterator[Visited]:
    """Like `walk_image`, for what the store has of an image of which it does not have all.

    Raises: StoreError, InvalidDocument.
    """
    blob = content.find(root.digest)
    if blob is None or PARTIAL not in blob.labels:
        return walk_image(content, root)
    return walk_image(content, root, wanted=lambda _, entry: content.find(entry.digest) is not None)


def walk_image(
    reader: DocumentReader,
    root: Descriptor,
    *,
    wanted: Callable[[Visited, Descriptor], bool] | None = None,
) -> Iterator[Visited]:
    """Every blob of the image, each once, a document before what it points at.

    Only documents are read; of configs and layers nothing but the descriptor is known. `wanted` is asked of what
    a document points at: what is not, is left out with all that stands below it.
    Raises: StoreError, and InvalidDocument for a graph that is too deep or too large.
    """
    seen: set[Digest] = set()
    pending = [(root, 0)]
    while pending:
        descriptor, depth = pending.pop()
        if descriptor.digest in seen:
            continue
        if depth > MAX_DEPTH or len(seen) == MAX_BLOBS:
            raise InvalidDocument(f"image {root.digest} is nested too deeply or has too many blobs")
        seen.add(descriptor.digest)
        visited = Visited(descriptor, read_document(reader, descriptor))
        yield visited
        below = [child for child in visited.children if wanted is None or wanted(visited, child)]
        pending.extend((child, depth + 1) for child in reversed(below))


def read_document(reader: DocumentReader, descriptor: Descriptor) -> Manifest | Index | None:
    """The manifest or index that `descriptor` points at; None when it points at something else."""
    if descriptor.media_type in INDEXES:
        return read_index(reader, descriptor)
    if descriptor.media_type in MANIFESTS:
        return read_manifest(reader, descriptor)
    return None


def platform_manifests(reader: DocumentReader, root: Descriptor) -> Iterator[tuple[Descriptor, Manifest]]:
    """The images below `root`, in the order of the index; attestations are left out.

    Raises: StoreError, InvalidDocument.
    """
    attestations: set[Digest] = set()
    for visited in walk_image(reader, root):
        if isinstance(visited.document, Index):
            attestations.update(each.digest for each in visited.children if is_attestation(each))
        if isinstance(visited.document, Manifest) and visited.descriptor.digest not in attestations:
            yield visited.descriptor, visited.document


def resolve_platform(reader: DocumentReader, root: Descriptor, platform: Platform) -> PlatformManifest:
    """The image for `platform`: the first entry of the index that is for exactly this platform.

    A `root` that is a manifest has no choice to offer and is taken whatever its platform is, as containerd
    does; `PlatformManifest.platform` tells. Source of the order: OCI image-spec, image-index.md.
    Raises: NoMatchingPlatform, StoreError, InvalidDocument.
    """
    if root.media_type in MANIFESTS:
        return _resolved(reader, root)
    if root.media_type not in INDEXES:
        raise InvalidDocument(f"{root.digest} is no image: its media type is {root.media_type!r}")
    found = _Search(reader, platform).below(root, depth=0)
    if found is None:
        raise NoMatchingPlatform(f"no match for platform {platform} in manifest {root.digest}: not found")
    return found


class _Search:
    """Looks for a platform below an index; an index that is listed twice is read once."""

    def __init__(self, reader: DocumentReader, platform: Platform) -> None:
        self._reader = reader
        self._platform = platform
        self._seen: set[Digest] = set()

    def below(self, index: Descriptor, *, depth: int) -> PlatformManifest | None:
        if depth > MAX_DEPTH or len(self._seen) == MAX_BLOBS:
            raise InvalidDocument(f"index {index.digest} is nested too deeply or has too many entries")
        self._seen.add(index.digest)
        entries = [each for each in read_index(self._reader, index).manifests if not is_attestation(each)]
        described = [each for each in entries if each.media_type in MANIFESTS and each.platform is not None]
        position = best_match(self._platform, [each.platform.platform for each in described if each.platform])
        if position is not None:
            return _resolved(self._reader, described[position])
        return next((found for entry in entries if (found := self._inside(entry, depth))), None)

    def _inside(self, entry: Descriptor, depth: int) -> PlatformManifest | None:
        """What an entry that does not say its platform holds."""
        if entry.digest in self._seen:
            return None
        if entry.media_type in INDEXES:
            return self.below(entry, depth=depth + 1)
        if entry.media_type not in MANIFESTS or entry.platform is not None:
            return None
        self._seen.add(entry.digest)
        found = _resolved(self._reader, entry)
        return found if best_match(self._platform, [found.platform]) is not None else None


def _resolved(reader: DocumentReader, descriptor: Descriptor) -> PlatformManifest:
    manifest = read_manifest(reader, descriptor)
    return PlatformManifest(descriptor=descriptor, manifest=manifest, config=read_config(reader, manifest))
