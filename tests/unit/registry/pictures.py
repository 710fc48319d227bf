"""Small images made of bytes."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from builder.oci.config import RootFS, encode_config, scratch_config
from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.manifest import encode_document, image_index, image_manifest
from builder.oci.mediatypes import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from builder.platforms import Platform

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")


class Picture(NamedTuple):
    """An image: its root, and all its blobs."""

    root: Descriptor
    blobs: dict[Digest, bytes]


def describe(content: bytes, media_type: str) -> Descriptor:
    return Descriptor(media_type=media_type, digest=Digest.of(content), size=len(content))


def single(platform: Platform = AMD64, *, layer: bytes = b"a layer") -> Picture:
    config = encode_config(
        msgspec.structs.replace(scratch_config(platform), rootfs=RootFS(diff_ids=(Digest.of(layer),)))
    )
    manifest = encode_document(image_manifest(describe(config, OCI_CONFIG), (describe(layer, OCI_LAYER),)))
    blobs = {Digest.of(content): content for content in (config, layer, manifest)}
    return Picture(describe(manifest, OCI_MANIFEST).with_platform(platform), blobs)


def several() -> Picture:
    parts = [single(AMD64), single(ARM64, layer=b"another layer")]
    index = encode_document(image_index(tuple(part.root for part in parts)))
    blobs = {digest: content for part in parts for digest, content in part.blobs.items()}
    return Picture(describe(index, OCI_INDEX), {**blobs, Digest.of(index): index})
