"""An image for two platforms with provenance and SBOM, as a build leaves it in a store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from builder.oci.config import ImageConfig
from builder.oci.reference import parse_reference
from builder.platforms import parse_platform
from exporter.assemble import PlatformImage, assemble
from exporter.attest.attach import attach
from exporter.attest.statement import Attestation
from exporter.image import store_image

if TYPE_CHECKING:
    from builder.oci.descriptor import Descriptor
    from builder.store.embedded import EmbeddedStore

PLATFORMS = tuple(map(parse_platform, ("linux/amd64", "linux/arm64")))


def store_attested(store: EmbeddedStore, name: str, *, anonymous: bool = False) -> Descriptor:
    """Stores the image as `name`; with `anonymous` its statements are about nothing that has a name."""
    images = [
        PlatformImage(
            platform=platform,
            config=ImageConfig(architecture=platform.architecture, os=platform.os),
            layers=(),
        )
        for platform in PLATFORMS
    ]
    reference = parse_reference(name)
    assembled = attach(
        assemble(images, multi_platform=True),
        [[_provenance(name), _sbom(str(platform))] for platform in PLATFORMS],
        names=() if anonymous else (reference,),
        artifact=True,
    )
    with store.lease() as lease:
        store_image(assembled, lease, store.images, names=[str(reference)])
    return assembled.root


def _provenance(name: str) -> Attestation:
    return _attestation(
        "https://slsa.dev/provenance/v1",
        "provenance.json",
        {
            "buildDefinition": {
                "buildType": "https://example.org/build",
                "externalParameters": {"name": name},
            },
            "runDetails": {"builder": {"id": "https://example.org/builder"}},
        },
    )


def _sbom(name: str) -> Attestation:
    return _attestation(
        "https://spdx.dev/Document",
        "sbom.spdx.json",
        {
            "spdxVersion": "SPDX-2.3",
            "dataLicense": "CC0-1.0",
            "SPDXID": "SPDXRef-DOCUMENT",
            "name": name,
            "documentNamespace": f"https://example.org/{name}",
            "creationInfo": {"created": "2026-01-01T00:00:00Z", "creators": ["Tool: test"]},
        },
    )


def _attestation(predicate_type: str, filename: str, predicate: dict[str, object]) -> Attestation:
    return Attestation(
        predicate_type=predicate_type,
        filename=filename,
        predicate=msgspec.Raw(json.dumps(predicate).encode()),
    )
