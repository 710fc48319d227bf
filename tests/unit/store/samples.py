"""Small images made of bytes, to be put into stores and layouts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from builder.oci.config import RootFS, encode_config, scratch_config
from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest, encode_json
from builder.oci.manifest import encode_document, image_index, image_manifest
from builder.oci.mediatypes import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from builder.platforms import Platform
from builder.store.imagegraph import labels_for

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from builder.store.protocol import ContentWriter

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")


class Sample(msgspec.Struct, frozen=True):
    """An image: where it starts, its blobs, and the labels of those that are documents."""

    root: Descriptor
    blobs: dict[Digest, bytes]
    labels: dict[Digest, dict[str, str]]


def describe(content: bytes, media_type: str) -> Descriptor:
    return Descriptor(media_type=media_type, digest=Digest.of(content), size=len(content))


def single(platform: Platform = AMD64, *, layer: bytes = b"a layer") -> Sample:
    config = encode_config(
        msgspec.structs.replace(scratch_config(platform), rootfs=RootFS(diff_ids=(Digest.of(layer),)))
    )
    document = image_manifest(describe(config, OCI_CONFIG), (describe(layer, OCI_LAYER),))
    manifest = encode_document(document)
    root = describe(manifest, OCI_MANIFEST)
    blobs = {Digest.of(content): content for content in (config, layer, manifest)}
    return Sample(root, blobs, {root.digest: labels_for(document)})


def several(platforms: Iterable[Platform] = (AMD64, ARM64)) -> Sample:
    parts = [(platform, single(platform)) for platform in platforms]
    return index_of([part.root.with_platform(platform) for platform, part in parts], *(p for _, p in parts))


def index_of(entries: Iterable[Descriptor], *parts: Sample) -> Sample:
    document = image_index(tuple(entries))
    index = encode_document(document)
    root = describe(index, OCI_INDEX)
    blobs = {digest: content for part in parts for digest, content in part.blobs.items()}
    labels = {digest: found for part in parts for digest, found in part.labels.items()}
    return Sample(root, {**blobs, root.digest: index}, {**labels, root.digest: labels_for(document)})


def put(content: ContentWriter, sample: Sample) -> Descriptor:
    for digest, blob in sample.blobs.items():
        content.put(blob, labels=sample.labels.get(digest))
    return sample.root


def write_layout(path: Path, *entries: Descriptor, blobs: dict[Digest, bytes]) -> Path:
    folder = path / "blobs" / "sha256"
    folder.mkdir(parents=True)
    for digest, content in blobs.items():
        (folder / digest.hex).write_bytes(content)
    (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (path / "index.json").write_bytes(encode_json(image_index(entries)))
    return path


def named(root: Descriptor, **annotations: str) -> Descriptor:
    """`full` and `tag` are the two annotations that name an image."""
    keys = {"full": "io.containerd.image.name", "tag": "org.opencontainers.image.ref.name"}
    return msgspec.structs.replace(root, annotations={keys[key]: value for key, value in annotations.items()})
