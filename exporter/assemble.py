"""The documents of an image: config and manifest for each platform, and the index over them. Pure.

Equal results give equal bytes, whatever the machine and the hour: times come in with the layers or as an
epoch, maps are written in a fixed order. What a config says beyond layers and history is its author's.
Source: OCI image-spec; BuildKit's exporter for everything that the specification leaves open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from builder.oci.config import ImageConfig, RootFS, encode_config
from builder.oci.descriptor import Descriptor
from builder.oci.digest import DiffID, Digest
from builder.oci.manifest import Index, Manifest, encode_document
from builder.platforms import Platform
from builder.store.imagegraph import labels_for
from exporter.annotations import Annotation, annotations_for, require_applicable
from exporter.errors import ExportError
from exporter.history import normalize_history
from exporter.mediatypes import DOCKER, OCI, TypeFamily
from exporter.times import clamped

if TYPE_CHECKING:
    from collections.abc import Sequence

_PRIVATE: Final = ("containerd.io/uncompressed", "buildkit/createdat")
_PRIVATE_PREFIX: Final = "containerd.io/distribution.source."


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer's blob. `created` in RFC 3339."""

    descriptor: Descriptor
    diff_id: DiffID
    created: str | None = None


class PlatformImage(msgspec.Struct, frozen=True, kw_only=True):
    """The result for one platform: a config complete but for rootfs and times, and layers, lowest first."""

    platform: Platform
    config: ImageConfig
    layers: tuple[Layer, ...]


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A document to store, with the labels that keep what it points at."""

    descriptor: Descriptor
    content: bytes
    labels: dict[str, str] = {}


class AssembledPlatform(msgspec.Struct, frozen=True, kw_only=True):
    """One platform's part of the image; `attestation` is the manifest of what is said about it, if anything."""

    platform: Platform
    manifest: Descriptor
    config: Descriptor
    layers: tuple[Layer, ...]
    attestation: Descriptor | None = None


class Assembled(msgspec.Struct, frozen=True, kw_only=True):
    """An image, ready to be stored: `root` is the `index`, or the manifest if there is only one."""

    root: Descriptor
    index: Index | None = None
    documents: tuple[Document, ...]
    platforms: tuple[AssembledPlatform, ...]


def assemble(
    images: Sequence[PlatformImage],
    *,
    annotations: Sequence[Annotation] = (),
    epoch: int | None = None,
    multi_platform: bool = False,
    docker_types: bool = False,
) -> Assembled:
    """The image that `images` make, in their order.

    `epoch` in seconds: no time that the build adds is later. `multi_platform`: an index even for one.
    `docker_types`: with the media types of Docker's documents, which have no annotations.
    Raises: ExportError for annotations that fit no document, and for platforms that come twice.
    """
    has_index = multi_platform or len(images) > 1
    platforms = [image.platform for image in images]
    if not images or len(set(platforms)) < len(platforms):
        raise ExportError("an image needs at least one platform, and each of them once")
    types = DOCKER if docker_types else OCI
    if annotations and not types.annotated:
        raise ExportError('cannot export annotations with "oci-mediatypes=false"')
    require_applicable(annotations, platforms, has_index=has_index)
    writer = _Writer(types, annotations, epoch)
    parts = tuple(map(writer.platform, images))
    if not has_index:
        root = parts[0].manifest.with_platform(parts[0].platform)
        return Assembled(root=root, documents=tuple(writer.documents), platforms=parts)
    index = writer.index(parts)
    root = writer.add(index, annotations_for(annotations, "index-descriptor"))
    return Assembled(root=root, index=index, documents=tuple(writer.documents), platforms=parts)


class _Writer:
    """Makes the documents of one image, which all have media types of one family."""

    def __init__(self, types: TypeFamily, annotations: Sequence[Annotation], epoch: int | None) -> None:
        self._types = types
        self._annotations = annotations
        self._epoch = epoch
        self.documents: list[Document] = []

    def platform(self, image: PlatformImage) -> AssembledPlatform:
        content = encode_config(_final_config(image, self._epoch))
        config = Descriptor(media_type=self._types.config, digest=Digest.of(content), size=len(content))
        layers = tuple(_exported(layer, self._types) for layer in image.layers)
        manifest = Manifest(
            schema_version=2,
            media_type=self._types.manifest,
            config=config,
            layers=tuple(layer.descriptor for layer in layers),
            annotations=annotations_for(self._annotations, "manifest", image.platform),
        )
        described = annotations_for(self._annotations, "manifest-descriptor", image.platform)
        self.documents.append(Document(descriptor=config, content=content))
        return AssembledPlatform(
            platform=image.platform,
            manifest=self.add(manifest, described),
            config=config,
            layers=layers,
        )

    def index(self, parts: Sequence[AssembledPlatform]) -> Index:
        return Index(
            schema_version=2,
            media_type=self._types.index,
            manifests=tuple(part.manifest.with_platform(part.platform) for part in parts),
            annotations=annotations_for(self._annotations, "index"),
        )

    def add(self, document: Manifest | Index, described: dict[str, str]) -> Descriptor:
        content = encode_document(document)
        descriptor = Descriptor(
            media_type=document.media_type,
            digest=Digest.of(content),
            size=len(content),
            annotations=described,
        )
        self.documents.append(Document(descriptor=descriptor, content=content, labels=labels_for(document)))
        return descriptor


def _final_config(image: PlatformImage, epoch: int | None) -> ImageConfig:
    config = image.config
    history = normalize_history(config.history, [layer.created for layer in image.layers], epoch=epoch)
    last = next((entry.created for entry in reversed(history) if entry.created is not None), None)
    created = config.created or last
    return replace(
        config,
        rootfs=RootFS(diff_ids=tuple(layer.diff_id for layer in image.layers)),
        history=history,
        created=clamped(created, epoch) if created is not None else None,
    )


def _exported(layer: Layer, types: TypeFamily) -> Layer:
    """The layer with its media type, and without annotations that are of use on one machine only."""
    descriptor = layer.descriptor
    annotations = {
        key: value
        for key, value in descriptor.annotations.items()
        if types.annotated and key not in _PRIVATE and not key.startswith(_PRIVATE_PREFIX)
    }
    media_type = types.layer(descriptor.media_type)
    return replace(layer, descriptor=replace(descriptor, media_type=media_type, annotations=annotations))
