"""What somebody may do to an image, and which check sees it."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import AMD64, ARM64, image, layer

from builder.oci.digest import Digest
from builder.oci.reference import parse_reference
from builder.platforms import Platform
from builder.store.errors import BlobNotFound
from exporter.assemble import assemble
from exporter.attest.attach import attach
from exporter.attest.signing.carriers import signature_layer, tag_carrier
from exporter.attest.signing.keyfiles import generate_private_key
from exporter.attest.signing.simplesigning import encode_payload
from exporter.attest.statement import Attestation
from exporter.attest.verify.engine import verify_image
from exporter.attest.verify.render import as_json, as_sarif, as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from builder.oci.descriptor import Descriptor

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
        self.signed: dict[Digest, Descriptor] = {}
        self.blobs = {each.descriptor.digest: each.content for each in made.documents}
        self.blobs |= {Digest.of(content): content for content in (b"one", b"two")}

    is_mixed = False

    @property
    def reader(self) -> Memory:
        return self

    def carriers(self, subject: Digest) -> Sequence[Descriptor]:
        return [self.signed[subject]] if subject in self.signed else []

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

    def edit_blob(self, position: int, pick: Callable[[Any], Any], change: Callable[[Any], None]) -> None:
        def within(manifest: Any) -> None:
            document = self.load(pick(manifest))
            change(document)
            self.store(pick(manifest), document)

        self.edit_manifest(position, within)

    def failed(self, *platforms: Platform) -> set[str]:
        found = verify_image(self, self.root, place=self, platforms=platforms)
        return {each.check for each in found if each.state == "failed"}


@pytest.mark.parametrize("artifact", [True, False])
def test_an_untouched_image_holds_in_both_forms_of_attestations(artifact: bool) -> None:
    assert Memory(artifact=artifact).failed(AMD64, ARM64) == set()


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_change_of_any_byte_of_any_blob_is_seen(data: st.DataObject) -> None:
    memory = Memory()
    digest = data.draw(st.sampled_from(sorted(memory.blobs)))
    content = bytearray(memory.blobs[digest])
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    memory.blobs[digest] = bytes(content)
    assert memory.failed() & {"blob"}


def _swap_references(index: Any) -> None:
    one, two = (entry["annotations"] for entry in index["manifests"][2:])
    key = "vnd.docker.reference.digest"
    one[key], two[key] = two[key], one[key]


def _first(index: Any) -> Any:
    return index["manifests"][0]


INDEX_ATTACKS: dict[str, tuple[Callable[[Any], None], str]] = {
    "attestations swapped between platforms": (_swap_references, "subject"),
    "attestation without its image": (lambda index: index["manifests"].pop(0), "reference"),
    "platform without its attestation": (lambda index: index["manifests"].pop(), "attested"),
    "attestation without reference": (lambda i: i["manifests"][2]["annotations"].pop("vnd.docker.reference.digest"),
                                      "reference"),
    "attestation of another kind": (
        lambda i: i["manifests"][2]["annotations"].update({"vnd.docker.reference.type": "x"}), "reference"),
    "attestation pointing at another image": (
        lambda i: i["manifests"][2]["annotations"].update({"vnd.docker.reference.digest": "sha256:" + "1" * 64}),
        "reference"),
    "entry listed twice": (lambda index: index["manifests"].append(index["manifests"][0]), "entry-twice"),
    "platform of the entry changed": (lambda i: _first(i)["platform"].update(architecture="s390x"), "platform"),
    "size too large": (lambda index: _first(index).update(size=_first(index)["size"] + 1), "size"),
    "size too small": (lambda index: _first(index).update(size=_first(index)["size"] - 1), "size"),
    "manifest called an index": (
        lambda i: _first(i).update(mediaType="application/vnd.oci.image.index.v1+json"), "document"),
    "manifest of an unknown type": (lambda index: _first(index).update(mediaType="text/plain"), "media-type"),
    "manifest that is nowhere": (lambda index: _first(index).update(digest="sha256:" + "0" * 64), "blob"),
    "all images gone": (lambda index: index.update(manifests=[]), "image"),
}  # fmt: skip


@pytest.mark.parametrize("attack", INDEX_ATTACKS)
def test_an_attack_on_the_index_fails_its_own_check(attack: str) -> None:
    change, check = INDEX_ATTACKS[attack]
    memory = Memory()
    memory.edit_index(change)
    assert check in memory.failed()


def _layers(manifest: Any) -> Any:
    return manifest["layers"]


MANIFEST_ATTACKS: dict[str, tuple[int, Callable[[Any], None], str]] = {
    "layer added": (0, lambda m: _layers(m).append(_layers(m)[0]), "layer-count"),
    "layer removed": (0, lambda m: _layers(m).clear(), "layer-count"),
    "layer that is no layer": (0, lambda m: _layers(m)[0].update(mediaType="text/plain"), "media-type"),
    "foreign subject": (2, lambda m: m["subject"].update(digest="sha256:" + "1" * 64), "subject"),
    "subject of another size": (2, lambda m: m["subject"].update(size=1), "subject"),
    "subject removed": (2, lambda m: m.pop("subject"), "subject"),
    "predicate type changed": (
        2, lambda m: _layers(m)[0]["annotations"].update({"in-toto.io/predicate-type": "x"}), "predicate-type"),
    "predicate type removed": (2, lambda m: _layers(m)[0].pop("annotations"), "predicate-type"),
    "statement that is no statement": (2, lambda m: _layers(m)[0].update(mediaType="text/plain"), "media-type"),
}  # fmt: skip


@pytest.mark.parametrize("attack", MANIFEST_ATTACKS)
def test_an_attack_on_a_manifest_fails_its_own_check(attack: str) -> None:
    position, change, check = MANIFEST_ATTACKS[attack]
    memory = Memory()
    memory.edit_manifest(position, change)
    assert check in memory.failed()


STATEMENT_ATTACKS: dict[str, tuple[Callable[[Any], None], str]] = {
    "about another image": (lambda s: s["subject"][0]["digest"].update(sha256="1" * 64), "statement-subject"),
    "about a second image": (
        lambda s: s["subject"].append({"name": "x", "digest": {"sha256": "1" * 64}}), "statement-subject"),
    "of another type": (lambda s: s.update(_type="https://example.com/Statement"), "statement"),
    "with another predicate type": (lambda s: s.update(predicateType="https://slsa.dev/provenance/v0.2"),
                                    "predicate-type"),
    "SBOM without namespace": (lambda s: s["predicate"].pop("documentNamespace"), "predicate"),
    "SBOM with a package twice": (
        lambda s: s["predicate"]["packages"].append(s["predicate"]["packages"][0]), "predicate"),
    "SBOM of another version": (lambda s: s["predicate"].update(spdxVersion="SPDX-1.0"), "predicate"),
}  # fmt: skip


@pytest.mark.parametrize("attack", STATEMENT_ATTACKS)
def test_a_replaced_statement_fails_its_own_check(attack: str) -> None:
    change, check = STATEMENT_ATTACKS[attack]
    memory = Memory()
    memory.edit_blob(2, lambda manifest: manifest["layers"][0], change)
    assert check in memory.failed()


def test_a_config_of_another_platform_is_seen() -> None:
    memory = Memory()
    memory.edit_blob(
        0, lambda manifest: manifest["config"], lambda config: config.update(architecture="riscv64")
    )
    assert "platform" in memory.failed()


def test_a_platform_that_was_asked_for_and_is_not_there_is_seen() -> None:
    assert "platform-required" in Memory().failed(Platform("linux", "s390x"))


def test_two_members_of_one_name_are_seen() -> None:
    memory = Memory()
    content = memory.blobs[memory.root.digest].replace(b"{", b'{"schemaVersion":2,', 1)
    entry = memory.put(content)
    memory.root = msgspec.structs.replace(memory.root, digest=Digest(entry["digest"]), size=entry["size"])
    assert "document" in memory.failed()


@pytest.mark.parametrize("content", [b"\xff\xfe{}", b"[" * 200_000, b"{}", b""])
def test_a_root_that_is_no_document_is_seen(content: bytes) -> None:
    memory = Memory()
    entry = memory.put(content)
    memory.root = msgspec.structs.replace(memory.root, digest=Digest(entry["digest"]), size=entry["size"])
    assert "document" in memory.failed()


def _signature_states(memory: Memory, signed: Digest, *, same_key: bool) -> set[str]:
    """What the check `signature` says when the root has a signature over `signed`."""
    key, other = generate_private_key(), generate_private_key()
    payload = encode_payload(signed, repository="app")
    carrier = tag_carrier("signatures", memory.root, [signature_layer(payload, key.sign(payload))])
    memory.blobs |= {each.descriptor.digest: each.content for each in carrier.documents}
    memory.signed[memory.root.digest] = carrier.descriptor
    allowed = key.public if same_key else other.public
    found = verify_image(memory, memory.root, place=memory, keys=[allowed])
    return {each.state for each in found if each.check == "signature"}


def test_a_signature_over_the_root_by_an_allowed_key_holds() -> None:
    memory = Memory()
    assert _signature_states(memory, memory.root.digest, same_key=True) == {"held"}


def test_a_signature_by_another_key_fails() -> None:
    memory = Memory()
    assert _signature_states(memory, memory.root.digest, same_key=False) == {"failed"}


def test_a_signature_over_another_digest_fails() -> None:
    assert _signature_states(Memory(), Digest.of(b"other"), same_key=True) == {"failed"}


def test_an_image_without_signature_fails_when_a_key_is_given() -> None:
    memory = Memory()
    found = verify_image(memory, memory.root, place=memory, keys=[generate_private_key().public])
    assert {each.state for each in found if each.check == "signature"} == {"failed"}


def test_the_reports_name_what_failed_and_where() -> None:
    memory = Memory()
    memory.edit_index(lambda index: index["manifests"].pop(0))
    findings = verify_image(memory, memory.root, place=memory)
    report = json.loads(as_json("app:1", memory.root.digest, findings))
    sarif = json.loads(as_sarif("app:1", "1", findings))
    assert report["verified"] is False
    assert [each["check"] for each in report["findings"] if each["state"] == "failed"] == ["reference"]
    assert [each["ruleId"] for each in sarif["runs"][0]["results"]] == ["reference"]
    assert "  FAIL  reference" in as_text("app:1", findings)
