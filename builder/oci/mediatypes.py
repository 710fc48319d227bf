"""Media types of OCI and of Docker schema 2, and what they say about a blob.

Source: OCI image-spec, media-types.md; Docker's distribution manifest v2 schema 2.
"""

from __future__ import annotations

from typing import Final, Literal

from builder.system.errors import Unsupported

OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
DOCKER_INDEX: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar"
IN_TOTO: Final = "application/vnd.in-toto+json"
OCI_EMPTY: Final = "application/vnd.oci.empty.v1+json"
ATTESTATION_ARTIFACT: Final = "application/vnd.docker.attestation.manifest.v1+json"

INDEXES: Final = frozenset({OCI_INDEX, DOCKER_INDEX})
MANIFESTS: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
CONFIGS: Final = frozenset({OCI_CONFIG, DOCKER_CONFIG})

Compression = Literal["gzip", "zstd", "uncompressed"]

_LAYERS: Final[dict[str, Compression]] = {
    OCI_LAYER: "uncompressed",
    OCI_LAYER + "+gzip": "gzip",
    OCI_LAYER + "+zstd": "zstd",
    DOCKER_LAYER: "uncompressed",
    DOCKER_LAYER + ".gzip": "gzip",
    DOCKER_LAYER + ".zstd": "zstd",
}


def layer_media_type(compression: Compression) -> str:
    """The OCI media type of a layer compressed so."""
    return OCI_LAYER if compression == "uncompressed" else f"{OCI_LAYER}+{compression}"


def docker_layer_type(media_type: str) -> str:
    """What Docker calls a layer of this type. Raises: Unsupported for a type that is not a tar layer."""
    compression = layer_compression(media_type)
    return DOCKER_LAYER if compression == "uncompressed" else f"{DOCKER_LAYER}.{compression}"


def layer_compression(media_type: str) -> Compression:
    """How a layer of this type is compressed.

    Raises: Unsupported for a type that is not a tar layer.
    """
    try:
        return _LAYERS[media_type]
    except KeyError:
        raise Unsupported(f"media type {media_type!r} is not a layer that dockyard can read") from None


def is_layer(media_type: str) -> bool:
    """Whether blobs of this type are file system layers."""
    return media_type in _LAYERS
