"""Images of two platforms with an SBOM and provenance, in the store of a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from builder.oci.config import scratch_config
from builder.oci.descriptor import Descriptor
from builder.oci.digest import DiffID, Digest
from builder.oci.mediatypes import OCI_LAYER
from builder.oci.reference import parse_reference
from builder.platforms import Platform
from builder.store.selection import open_store
from exporter.assemble import Layer, PlatformImage, assemble
from exporter.attest.attach import attach
from exporter.attest.statement import Attestation
from exporter.image import store_image

if TYPE_CHECKING:
    from command import Command

    from exporter.assemble import Assembled

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
SPDX, SLSA = "https://spdx.dev/Document", "https://slsa.dev/provenance/v1"
LAYER = b"layer"


def package(name: str, version: str, licence: str = "NOASSERTION", kind: str = "deb") -> dict[str, Any]:
    return {
        "SPDXID": f"SPDXRef-{name}-{version}", "name": name, "versionInfo": version,
        "downloadLocation": "NOASSERTION", "licenseConcluded": "NOASSERTION", "licenseDeclared": licence,
        "externalRefs": [
            {"referenceCategory": "SECURITY", "referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:a"},
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
             "referenceLocator": f"pkg:{kind}/debian/{name}@{version}?arch=all"},
        ],
    }  # fmt: skip


def spdx(*packages: dict[str, Any], name: str = "sbom") -> dict[str, Any]:
    whole = {"SPDXID": "SPDXRef-Root", "name": name, "downloadLocation": "NOASSERTION"}
    return {
        "spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": name, "dataLicense": "CC0-1.0",
        "documentNamespace": "https://example.com/x",
        "creationInfo": {"created": "2026-01-01T00:00:00Z", "creators": ["Tool: scan-1"]},
        "packages": [*packages, whole], "files": [{"SPDXID": "SPDXRef-f", "fileName": "/f"}],
        "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
                           "relatedSpdxElement": "SPDXRef-Root"}],
    }  # fmt: skip


def slsa(**args: str) -> dict[str, Any]:
    return {
        "buildDefinition": {
            "buildType": "https://example.com/type",
            "resolvedDependencies": [{"uri": "pkg:docker/debian@12", "digest": {"sha256": "ab" * 32}}],
            "externalParameters": {
                "configSource": {"path": "Dockerfile"},
                "request": {"frontend": "dockerfile.v0", "args": args, "locals": [{"name": "context"}]},
            },
            "internalParameters": {"buildConfig": {"llbDefinition": [{}, {}]}},
        },
        "runDetails": {
            "builder": {"id": "https://example.com/builder"},
            "metadata": {
                "invocationId": "i1",
                "startedOn": "2026-01-01T00:00:00Z",
                "finishedOn": "2026-01-01T00:00:01.5Z",
                "buildkit_metadata": {"vcs": {"source": "https://example.com/r.git", "revision": "abc"}},
                "buildkit_completeness": {"request": True, "resolvedDependencies": False},
            },
        },
    }


def attested(*documents: dict[str, Any], artifact: bool = True, name: str = "app:1") -> Assembled:
    """An image that each of `documents`, SBOMs or provenance, is about, on both of its platforms."""
    about = [
        Attestation(
            predicate_type=SPDX if "spdxVersion" in document else SLSA,
            predicate=msgspec.Raw(msgspec.json.encode(document)),
            filename="sbom.json" if "spdxVersion" in document else "provenance.json",
        )
        for document in documents
    ]
    blob = Descriptor(media_type=OCI_LAYER, digest=Digest.of(LAYER), size=len(LAYER))
    layer = Layer(descriptor=blob, diff_id=DiffID(blob.digest))
    images = [
        PlatformImage(platform=each, config=scratch_config(each), layers=(layer,)) for each in (AMD64, ARM64)
    ]
    made = assemble(images)
    return attach(made, [about, about], names=[parse_reference(name)], artifact=artifact) if about else made


def store_attested(command: Command, name: str, made: Assembled) -> Descriptor:
    with open_store(command.root) as store, store.lease() as lease:
        lease.content.put(LAYER)
        store_image(made, lease, store.images, names=[str(parse_reference(name))])
    return made.root
