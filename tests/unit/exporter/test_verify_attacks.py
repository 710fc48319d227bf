"""What somebody may do to an image, and which check sees it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from attacked import Memory
from hypothesis import given, settings
from hypothesis import strategies as st
from made import AMD64, ARM64

from builder.oci.digest import Digest
from builder.platforms import Platform
from exporter.attest.signing.keyfiles import generate_private_key
from exporter.attest.verify.engine import verify_image
from exporter.attest.verify.render import as_json, as_sarif, as_text

if TYPE_CHECKING:
    from collections.abc import Callable


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


def test_two_members_of_one_name_in_a_statement_are_seen() -> None:
    memory = Memory()

    def twice(manifest: Any) -> None:
        content = memory.blobs[Digest(manifest["layers"][0]["digest"])]
        manifest["layers"][0] |= memory.put(content.replace(b'"predicate":{', b'"predicate":{"name":"y",', 1))

    memory.edit_manifest(2, twice)
    assert memory.failed() == {"statement"}


def test_an_older_config_that_lists_other_statements_is_seen() -> None:
    memory = Memory(artifact=False)
    memory.edit_blob(
        2, lambda manifest: manifest["config"], lambda config: config["rootfs"]["diff_ids"].reverse()
    )
    assert memory.failed() == {"attestation-config"}


def test_layers_that_live_at_a_registry_are_no_failures_and_said_so() -> None:
    memory = Memory()
    del memory.blobs[Digest.of(b"one")]
    found = verify_image(memory, memory.root, place=memory, elsewhere="example.org/app")
    skipped = [each for each in found if each.digest == Digest.of(b"one")]
    assert [(each.state, each.message) for each in skipped] == [("skipped", "lives at example.org/app")]
    assert not [each for each in found if each.state == "failed"]


def test_platforms_that_live_at_a_registry_are_no_failures_but_attestations_of_those_here_are_missed() -> (
    None
):
    memory = Memory()
    entries = memory.load({"digest": memory.root.digest})["manifests"]
    del memory.blobs[entries[1]["digest"]], memory.blobs[entries[3]["digest"]]
    found = verify_image(memory, memory.root, place=memory, elsewhere="example.org/app")
    assert not [each for each in found if each.state == "failed"]
    del memory.blobs[entries[2]["digest"]]
    found = verify_image(memory, memory.root, place=memory, elsewhere="example.org/app")
    assert {each.check for each in found if each.state == "failed"} == {"attested"}


def test_blobs_stand_under_the_platform_that_they_belong_to() -> None:
    memory = Memory()
    found = verify_image(memory, memory.root, place=memory)
    platforms = {each.digest: each.platform for each in found if each.check == "blob"}
    assert platforms[Digest.of(b"one")] == "linux/amd64"
    assert platforms[Digest.of(b"two")] == "linux/arm64"
    assert platforms[memory.root.digest] == ""


def test_an_index_that_only_its_platforms_signatures_cover_is_said_to_be_covered_by_no_key() -> None:
    memory, key = Memory(), generate_private_key()
    for entry in memory.load({"digest": memory.root.digest})["manifests"][:2]:
        memory.sign(Digest(entry["digest"]), key)
    found = verify_image(memory, memory.root, place=memory, keys=[key.public])
    states = {each.digest: each.state for each in found if each.check == "signature"}
    assert sorted(states.values()) == ["held", "held", "skipped"]
    assert states[memory.root.digest] == "skipped"


def test_a_failure_says_what_to_do() -> None:
    memory = Memory()
    memory.blobs[Digest.of(b"one")] = b"two"
    found = verify_image(memory, memory.root, place=memory)
    assert "bring the image in again" in as_text("app:1", found)


def _signature_states(memory: Memory, signed: Digest, *, same_key: bool) -> set[str]:
    """What the check `signature` says when the root has a signature over `signed`."""
    key, other = generate_private_key(), generate_private_key()
    memory.sign(memory.root.digest, key, over=signed)
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
