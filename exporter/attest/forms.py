"""The two forms of an attestation manifest: an OCI 1.1 artifact with a subject, and that of older registries.

Source: BuildKit's docs/attestations/attestation-storage.md; OCI image-spec, manifest.md, for artifacts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest, encode_json
from builder.oci.manifest import Manifest
from builder.oci.mediatypes import ATTESTATION_ARTIFACT, OCI_CONFIG, OCI_EMPTY, OCI_MANIFEST
from exporter.assemble import Document

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_EMPTY: Final = Document(
    descriptor=Descriptor(media_type=OCI_EMPTY, digest=Digest.of(b"{}"), size=2, data="e30="), content=b"{}"
)


class _Rootfs(msgspec.Struct):
    type: str
    diff_ids: list[Digest]


class _NoConfig(msgspec.Struct):
    """The config of an attestation manifest of the older form: that of an image for no platform."""

    architecture: str
    os: str
    config: dict[str, str]
    rootfs: _Rootfs


def attestation_manifest(
    image: Descriptor,
    statements: Sequence[Descriptor],
    *,
    artifact: bool,
    annotations: Mapping[str, str] | None = None,
) -> tuple[Document, Manifest]:
    """The config and the manifest of `statements` about `image`."""
    subject = Descriptor(media_type=image.media_type, digest=image.digest, size=image.size)
    config = _EMPTY if artifact else _legacy_config(statements)
    manifest = Manifest(
        schema_version=2,
        media_type=OCI_MANIFEST,
        artifact_type=ATTESTATION_ARTIFACT if artifact else "",
        config=config.descriptor,
        layers=tuple(statements),
        subject=subject if artifact else None,
        annotations=dict(annotations or {}),
    )
    return config, manifest


def is_artifact(manifest: Manifest) -> bool:
    """Whether an attestation manifest is an OCI artifact, not of the older form."""
    return manifest.subject is not None


def _legacy_config(statements: Sequence[Descriptor]) -> Document:
    rootfs = _Rootfs("layers", [each.digest for each in statements])
    content = encode_json(_NoConfig("unknown", "unknown", {}, rootfs))
    descriptor = Descriptor(media_type=OCI_CONFIG, digest=Digest.of(content), size=len(content))
    return Document(descriptor=descriptor, content=content)
