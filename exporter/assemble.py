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
from builder.oci.manifest import Index, Manifest, encode_document, image_index, image_manifest
from builder.oci.mediatypes import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, layer_compression, layer_media_type
from builder.platforms import Platform
from builder.store.imagegraph import labels_for
from exporter.annotations import Annotation, annotations_for, require_applicable
from exporter.errors import ExportError
from exporter.history import normalize_history
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
    """One platform's part of the image."""

    platform: Platform
    manifest: Descriptor
    config: Descriptor
    layers: tuple[Layer, ...]


class Assembled(msgspec.Struct, frozen=True, kw_only=True):
    """An image, ready to be stored: `root` is the index, or the manifest if there is only one."""

    root: Descriptor
    documents: tuple[Document, ...]
    platforms: tuple[AssembledPlatform, ...]


def assemble(
    images: Sequence[PlatformImage],
    *,
    annotations: Sequence[Annotation] = (),
    epoch: int | None = None,
    multi_platform: bool = False,
) -> Assembled:
    """The image that `images` make, in their order.

    `epoch` in seconds: no time that the build adds is later. `multi_platform`: an index even for one.
    Raises: ExportError for annotations that fit no document, and for platforms that come twice.
    """
    has_index = multi_platform or len(images) > 1
    platforms = [image.platform for image in images]
    if not images or len(set(platforms)) < len(platforms):
        raise ExportError("an image needs at least one platform, and each of them once")
    require_applicable(annotations, platforms, has_index=has_index)
    documents: list[Document] = []
    parts = tuple(_assemble_platform(image, annotations, epoch, documents) for image in images)
    if not has_index:
        root = parts[0].manifest.with_platform(parts[0].platform)
        return Assembled(root=root, documents=tuple(documents), platforms=parts)
    index = image_index(
        tuple(part.manifest.with_platform(part.platform) for part in parts),
        annotations=annotations_for(annotations, "index"),
    )
    documents.append(_document(index, OCI_INDEX, annotations_for(annotations, "index-descriptor")))
    return Assembled(root=documents[-1].descriptor, documents=tuple(documents), platforms=parts)


def _assemble_platform(
    image: PlatformImage, annotations: Sequence[Annotation], epoch: int | None, documents: list[Document]
) -> AssembledPlatform:
    content = encode_config(_final_config(image, epoch))
    config = Descriptor(media_type=OCI_CONFIG, digest=Digest.of(content), size=len(content))
    layers = tuple(_exported(layer) for layer in image.layers)
    manifest = image_manifest(
        config,
        tuple(layer.descriptor for layer in layers),
        annotations=annotations_for(annotations, "manifest", image.platform),
    )
    document = _document(
        manifest, OCI_MANIFEST, annotations_for(annotations, "manifest-descriptor", image.platform)
    )
    documents += (Document(descriptor=config, content=content), document)
    return AssembledPlatform(
        platform=image.platform, manifest=document.descriptor, config=config, layers=layers
    )


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


def _exported(layer: Layer) -> Layer:
    """The layer with an OCI media type, and without annotations that are of use on one machine only."""
    descriptor = layer.descriptor
    annotations = {
        key: value
        for key, value in descriptor.annotations.items()
        if key not in _PRIVATE and not key.startswith(_PRIVATE_PREFIX)
    }
    media_type = layer_media_type(layer_compression(descriptor.media_type))
    return replace(layer, descriptor=replace(descriptor, media_type=media_type, annotations=annotations))


def _document(document: Manifest | Index, media_type: str, annotations: dict[str, str]) -> Document:
    content = encode_document(document)
    descriptor = Descriptor(
        media_type=media_type, digest=Digest.of(content), size=len(content), annotations=annotations
    )
    return Document(descriptor=descriptor, content=content, labels=labels_for(document))
