"""Attestations in the index of an image, as BuildKit stores them."""

from __future__ import annotations

import json

import msgspec
import pytest
from made import AMD64, ARM64, image, layer

from builder.oci.digest import Digest
from builder.oci.reference import parse_reference
from builder.store.imagegraph import is_attestation
from exporter.assemble import Assembled, assemble
from exporter.attest.attach import CHECKED, attach, image_subjects
from exporter.attest.statement import Attestation, envelopes
from exporter.errors import ExportError

SBOM = Attestation(
    predicate_type="https://spdx.dev/Document",
    predicate=msgspec.Raw(b'{"SPDXID":"x"}'),
    filename="sbom.spdx.json",
)
STAGE = Attestation(
    predicate_type="https://spdx.dev/Document",
    predicate=msgspec.Raw(b'{"SPDXID":"stage"}'),
    filename="sbom-base.spdx.json",
)
PROVENANCE = Attestation(
    predicate_type="https://slsa.dev/provenance/v1",
    predicate=msgspec.Raw(b'{"buildDefinition":{}}'),
    filename="provenance.json",
)
EMPTY = Digest.of(b"{}")


def assembled() -> Assembled:
    return assemble([image(AMD64, layer(b"one")), image(ARM64, layer(b"two"))])


def attested(*about: Attestation, artifact: bool = True, names: tuple[str, ...] = ()) -> Assembled:
    return attach(assembled(), [about, about], names=tuple(map(parse_reference, names)), artifact=artifact)


def document(image: Assembled, digest: str) -> dict[str, object]:
    content = next(each.content for each in image.documents if each.descriptor.digest == digest)
    return json.loads(content)  # type: ignore[no-any-return]


def entries(image: Assembled) -> list[dict[str, object]]:
    return document(image, image.root.digest)["manifests"]  # type: ignore[return-value]


def attestation_manifest(image: Assembled) -> dict[str, object]:
    return document(image, str(entries(image)[2]["digest"]))


def statements(image: Assembled) -> list[dict[str, object]]:
    layers = attestation_manifest(image)["layers"]
    return [document(image, each["digest"]) for each in layers]  # type: ignore[attr-defined]


def test_images_stand_first_and_attestations_follow_in_the_same_order() -> None:
    found = attested(PROVENANCE)
    images = [str(each["digest"]) for each in entries(found)[:2]]
    annotations = [each["annotations"] for each in entries(found)[2:]]
    assert annotations == [
        {"vnd.docker.reference.digest": digest, "vnd.docker.reference.type": "attestation-manifest"}
        for digest in images
    ]


def test_an_attestation_is_for_no_platform_and_names_no_artifact_type_in_the_index() -> None:
    entry = entries(attested(PROVENANCE))[2]
    assert entry["platform"] == {"architecture": "unknown", "os": "unknown"}
    assert set(entry) == {"mediaType", "digest", "size", "annotations", "platform"}


def test_no_byte_of_an_image_changes_when_it_is_attested() -> None:
    plain = {each.descriptor.digest for each in assembled().documents} - {assembled().root.digest}
    found = attested(SBOM, PROVENANCE)
    assert plain <= {each.descriptor.digest for each in found.documents}
    assert [each.manifest for each in found.platforms] == [each.manifest for each in assembled().platforms]


def test_an_artifact_names_its_subject_and_has_the_empty_config() -> None:
    found = attested(PROVENANCE)
    manifest = attestation_manifest(found)
    about = found.platforms[0].manifest
    assert manifest["artifactType"] == "application/vnd.docker.attestation.manifest.v1+json"
    assert manifest["config"] == {
        "mediaType": "application/vnd.oci.empty.v1+json", "digest": EMPTY, "size": 2, "data": "e30=",
    }  # fmt: skip
    assert manifest["subject"] == {"mediaType": about.media_type, "digest": about.digest, "size": about.size}


def test_the_empty_config_is_a_blob_although_its_descriptor_holds_it() -> None:
    contents = {each.descriptor.digest: each.content for each in attested(PROVENANCE).documents}
    assert contents[EMPTY] == b"{}"


def test_the_older_form_has_an_image_config_for_no_platform_and_no_subject() -> None:
    found = attested(PROVENANCE, artifact=False)
    manifest = attestation_manifest(found)
    assert "subject" not in manifest
    assert "artifactType" not in manifest
    config = document(found, manifest["config"]["digest"])  # type: ignore[index]
    layers = [each["digest"] for each in manifest["layers"]]  # type: ignore[attr-defined]
    assert config == {
        "architecture": "unknown", "os": "unknown", "config": {}, "rootfs": {"type": "layers", "diff_ids": layers},
    }  # fmt: skip


def test_the_sbom_of_the_image_comes_first_then_others_then_provenance() -> None:
    found = attested(STAGE, SBOM, PROVENANCE)
    assert [each["predicate"] for each in statements(found)] == [
        {"SPDXID": "x"}, {"SPDXID": "stage"}, {"buildDefinition": {}},
    ]  # fmt: skip


def test_layers_say_which_predicate_they_hold() -> None:
    layers = attestation_manifest(attested(SBOM))["layers"]
    assert layers[0]["mediaType"] == "application/vnd.in-toto+json"  # type: ignore[index]
    assert layers[0]["annotations"] == {"in-toto.io/predicate-type": SBOM.predicate_type}  # type: ignore[index]


def test_the_subjects_are_the_names_of_the_image_for_its_platform() -> None:
    found = attested(PROVENANCE, names=("app:1", "127.0.0.1:5055/app"))
    digest = {"sha256": found.platforms[0].manifest.digest.hex}
    assert statements(found)[0]["subject"] == [
        {"name": "pkg:docker/app@1?platform=linux%2Famd64", "digest": digest},
        {"name": "pkg:docker/127.0.0.1%3A5055/app@latest?platform=linux%2Famd64", "digest": digest},
    ]


def test_the_collector_keeps_what_an_attestation_points_at() -> None:
    found = attested(PROVENANCE)
    labels = next(
        each.labels for each in found.documents if each.descriptor.digest == entries(found)[2]["digest"]
    )
    manifest = attestation_manifest(found)
    assert sorted(labels.values()) == sorted([EMPTY, manifest["layers"][0]["digest"]])  # type: ignore[index]


def test_a_platform_without_attestations_has_no_attestation_manifest() -> None:
    found = attach(assembled(), [(), (PROVENANCE,)], names=(), artifact=True)
    assert found.platforms[0].attestation is None
    assert [is_attestation(each) for each in found.index.manifests] == [False, False, True]  # type: ignore[union-attr]


def test_without_any_attestation_the_index_stays_as_it_is() -> None:
    assert attach(assembled(), [(), ()], names=(), artifact=True) == assembled()


def test_an_image_without_an_index_cannot_be_attested() -> None:
    with pytest.raises(ValueError, match="need an index"):
        attach(assemble([image()]), [(PROVENANCE,)], names=(), artifact=True)


def test_statements_whose_envelopes_were_allowed_are_not_checked_again() -> None:
    # in-toto allows no statement without a type of predicate, so one that gets through was not looked at.
    odd = msgspec.structs.replace(PROVENANCE, predicate_type="")
    image = assembled()
    known = {
        each.manifest.digest: {CHECKED: str(envelopes([odd], image_subjects(each, ())))}
        for each in image.platforms
    }

    made = attach(image, [[odd], [odd]], names=(), artifact=True, labels_of=known.__getitem__)
    assert len(entries(made)) == 4
    with pytest.raises(ExportError):
        attach(image, [[odd], [odd]], names=(), artifact=True, labels_of=lambda _: {CHECKED: "another"})


def test_the_manifests_of_an_image_remember_what_was_allowed_about_them() -> None:
    made = attested(PROVENANCE)
    labels = {each.descriptor.digest: each.labels for each in made.documents}

    for each in made.platforms:
        assert labels[each.manifest.digest][CHECKED] == envelopes([PROVENANCE], image_subjects(each, ()))
