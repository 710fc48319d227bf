"""An image in memory that somebody changes: what verification is tried on."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
from made import AMD64, ARM64, image, layer

from builder.oci.digest import Digest
from builder.oci.mediatypes import IN_TOTO
from builder.oci.reference import parse_reference
from builder.store.errors import BlobNotFound
from exporter.assemble import assemble
from exporter.attest.attach import attach
from exporter.attest.signing.carriers import attestation_layer, signature_layer, tag_carrier
from exporter.attest.signing.dsse import encode_envelope, sign_envelope
from exporter.attest.signing.simplesigning import encode_payload
from exporter.attest.statement import Attestation
from exporter.attest.verify.engine import verify_image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from builder.oci.descriptor import Descriptor
    from builder.platforms import Platform
    from exporter.attest.signing.carriers import Carrier
    from exporter.attest.signing.keys import PrivateKey

SPDX: dict[str, Any] = {
    "spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "x", "dataLicense": "CC0-1.0",
    "documentNamespace": "https://example.com/x",
    "creationInfo": {"created": "2026-01-01T00:00:00Z", "creators": ["Tool: x"]},
    "packages": [{"SPDXID": "SPDXRef-a", "name": "a", "downloadLocation": "NOASSERTION"}],
}  # fmt: skip
SLSA: dict[str, Any] = {
    "buildDefinition": {"buildType": "https://example.com/type", "externalParameters": {}},
    "runDetails": {"builder": {"id": ""}},
}


class Memory:
    """An image and its signatures in memory (`SignaturePlace` and `BlobReader`)."""

    def __init__(self, *, artifact: bool = True, spdx: Any = SPDX, slsa: Any = SLSA) -> None:
        about = [
            Attestation(
                predicate_type=kind, predicate=msgspec.Raw(msgspec.json.encode(predicate)), filename=filename
            )
            for kind, predicate, filename in (
                ("https://spdx.dev/Document", spdx, "sbom.spdx.json"),
                ("https://slsa.dev/provenance/v1", slsa, "provenance.json"),
            )
        ]
        made = assemble([image(AMD64, layer(b"one")), image(ARM64, layer(b"two"))])
        made = attach(made, [about, about], names=[parse_reference("app:1")], artifact=artifact)
        self.root = made.root
        self.signed: dict[Digest, list[Descriptor]] = {}
        self.blobs = {each.descriptor.digest: each.content for each in made.documents}
        self.blobs |= {Digest.of(content): content for content in (b"one", b"two")}

    is_mixed = False

    @property
    def reader(self) -> Memory:
        return self

    def carriers(self, subject: Digest) -> Sequence[Descriptor]:
        return self.signed.get(subject, [])

    def open(self, digest: Digest) -> BinaryIO:
        if digest not in self.blobs:
            raise BlobNotFound(f"blob {digest} is missing")
        return io.BytesIO(self.blobs[digest])

    def read(self, descriptor: Descriptor) -> bytes:
        return self.open(descriptor.digest).read()

    def put(self, content: bytes) -> dict[str, Any]:
        self.blobs[Digest.of(content)] = content
        return {"digest": str(Digest.of(content)), "size": len(content)}

    def load(self, entry: dict[str, Any]) -> Any:
        return json.loads(self.blobs[Digest(entry["digest"])])

    def store(self, entry: dict[str, Any], document: Any) -> None:
        entry |= self.put(json.dumps(document).encode())

    def edit_index(self, change: Callable[[Any], None]) -> None:
        root = {"digest": str(self.root.digest)}
        index = self.load(root)
        change(index)
        self.store(root, index)
        self.root = msgspec.structs.replace(self.root, digest=Digest(root["digest"]), size=root["size"])

    def edit_manifest(self, position: int, change: Callable[[Any], None]) -> None:
        def within(index: Any) -> None:
            manifest = self.load(index["manifests"][position])
            change(manifest)
            self.store(index["manifests"][position], manifest)

        self.edit_index(within)

    def retarget(self, position: int, old: str, image: dict[str, Any]) -> None:
        """Makes the attestation manifest at `position` one of `image`, which was `old`: statements and all."""

        def within(index: Any) -> None:
            entry = index["manifests"][position]
            manifest = self.load(entry)
            for statement in manifest["layers"]:
                content = self.blobs[Digest(statement["digest"])]
                statement.update(self.put(content.replace(old[7:].encode(), image["digest"][7:].encode())))
            manifest["subject"] |= {"digest": image["digest"], "size": image["size"]}
            entry["annotations"]["vnd.docker.reference.digest"] = image["digest"]
            self.store(entry, manifest)

        self.edit_index(within)

    def edit_blob(self, position: int, pick: Callable[[Any], Any], change: Callable[[Any], None]) -> None:
        def within(manifest: Any) -> None:
            document = self.load(pick(manifest))
            change(document)
            self.store(pick(manifest), document)

        self.edit_manifest(position, within)

    def sign(self, subject: Digest, key: PrivateKey, *, over: Digest | None = None) -> None:
        """A signature found at `subject`, over another digest if `over` is one."""
        payload = encode_payload(over or subject, repository="app")
        target = msgspec.structs.replace(self.root, digest=subject)
        carrier = tag_carrier("signatures", target, [signature_layer(payload, key.sign(payload))])
        self._keep(carrier)

    def sign_statement(
        self, subject: Digest, key: PrivateKey, content: bytes, *, payload_type: str = IN_TOTO
    ) -> None:
        """A signature over a statement, found at `subject`."""
        envelope = encode_envelope(sign_envelope(payload_type, content, [key]))
        target = msgspec.structs.replace(self.root, digest=subject)
        self._keep(tag_carrier("attestations", target, [attestation_layer(envelope, "x")]))

    def _keep(self, carrier: Carrier) -> None:
        self.blobs |= {each.descriptor.digest: each.content for each in carrier.documents}
        self.signed.setdefault(carrier.subject.digest, []).append(carrier.descriptor)

    def statements(self) -> list[tuple[Digest, bytes]]:
        """The images with the statements about them, as the index has them."""
        entries = self.load({"digest": self.root.digest})["manifests"]
        return [
            (Digest(entry["annotations"]["vnd.docker.reference.digest"]), self.blobs[Digest(layer["digest"])])
            for entry in entries[2:]
            for layer in self.load(entry)["layers"]
        ]

    def failed(self, *platforms: Platform) -> set[str]:
        found = verify_image(self, self.root, place=self, platforms=platforms)
        return {each.check for each in found if each.state == "failed"}
