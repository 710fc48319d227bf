"""The policy of docs/verify.md on an image that satisfies it, and on what somebody may make of that image."""

from __future__ import annotations

import copy
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attacked import SPDX, Memory

from builder.oci.digest import Digest
from exporter.attest.policy.reading import parse_policy
from exporter.attest.signing.keyfiles import generate_private_key
from exporter.attest.verify.engine import verify_image
from exporter.attest.verify.render import as_json, as_sarif, as_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.attest.policy.policy import Policy
    from exporter.attest.signing.keys import PrivateKey
    from exporter.attest.verify.finding import Finding

KEY, OTHER = generate_private_key(), generate_private_key()
NOW = datetime(2026, 1, 10, tzinfo=UTC)
EXAMPLE = re.findall(
    r"```toml\n(.*?)```", (Path(__file__).parents[3] / "docs/verify.md").read_text(), re.DOTALL
)[0]
BASE = "pkg:docker/debian@12?platform=linux%2Famd64"
SBOM: dict[str, Any] = SPDX | {
    "packages": [
        {"SPDXID": "SPDXRef-a", "name": "ca-certificates", "downloadLocation": "NONE", "versionInfo": "2023"},
        {
            "SPDXID": "SPDXRef-b", "name": "libssl3", "downloadLocation": "NOASSERTION", "versionInfo": "3.0.11-1",
            "licenseConcluded": "NOASSERTION", "licenseDeclared": "Apache-2.0 OR AGPL-3.0-only",
        },
    ],
}  # fmt: skip
PROVENANCE: dict[str, Any] = {
    "buildDefinition": {
        "buildType": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
        "externalParameters": {"configSource": {"path": "Dockerfile"}, "request": {}},
        "internalParameters": {"buildConfig": {}},
        "resolvedDependencies": [{"uri": BASE, "digest": {"sha256": "1" * 64}}],
    },
    "runDetails": {
        "builder": {"id": "https://ci.example.com/42"},
        "metadata": {
            "finishedOn": "2026-01-01T00:00:00Z",
            "buildkit_metadata": {
                "vcs": {"source": "https://git.example.com/shop/app", "revision": "a" * 40}
            },
            "buildkit_completeness": {"request": True, "resolvedDependencies": False},
        },
    },
}


def example(text: str = EXAMPLE, *, keys: dict[str, PrivateKey] | None = None) -> Policy:
    files = {"release.pub": KEY} if keys is None else keys

    def read(name: str) -> bytes:
        return b"[pins]\n" if name == "pins.toml" else files[name].public.pem

    return parse_policy(text, origin="policy.toml", read=read)


UNSIGNED = example(re.sub(r"\[signatures\].*?(?=\[attestations\])", "", EXAMPLE, flags=re.DOTALL))


def _label(config: Any) -> None:
    config["config"]["Labels"] = {"org.opencontainers.image.source": "https://git.example.com/shop/app"}


def good(*, spdx: Any = SBOM, slsa: Any = PROVENANCE) -> Memory:
    """An image that the example is content with, but for signatures."""
    memory = Memory(spdx=spdx, slsa=slsa)
    old = [entry["digest"] for entry in memory.load({"digest": memory.root.digest})["manifests"]]
    for position in (0, 1):
        memory.edit_blob(position, lambda manifest: manifest["config"], _label)
        memory.edit_manifest(
            position, lambda manifest: manifest.update(annotations={"org.opencontainers.image.version": "1"})
        )
    memory.edit_index(lambda index: index.update(annotations={"org.opencontainers.image.vendor": "Shop"}))
    entries = memory.load({"digest": memory.root.digest})["manifests"]
    for position in (0, 1):
        memory.retarget(position + 2, old[position], entries[position])
    return memory


def signed(memory: Memory, key: PrivateKey = KEY) -> Memory:
    memory.sign(memory.root.digest, key)
    for subject, content in memory.statements():
        memory.sign_statement(subject, key, content)
    for subject in {subject for subject, _ in memory.statements()}:
        memory.sign(subject, key)
    return memory


def judged(memory: Memory, policy: Policy, **more: Any) -> tuple[Finding, ...]:
    return verify_image(memory, memory.root, place=memory, policies=[policy], now=NOW, **more)


def failures(memory: Memory, policy: Policy = UNSIGNED, **more: Any) -> set[tuple[str, str]]:
    return {(each.check, each.rule) for each in judged(memory, policy, **more) if each.state == "failed"}


def test_the_policy_of_the_documentation_holds_for_an_image_that_satisfies_it() -> None:
    assert failures(signed(good()), example()) == set()


def _changed(original: Any, change: Callable[[Any], Any]) -> Any:
    changed = copy.deepcopy(original)
    change(changed)
    return changed


def _metadata(slsa: Any) -> Any:
    return slsa["runDetails"]["metadata"]


def _materials(slsa: Any) -> Any:
    return slsa["buildDefinition"]["resolvedDependencies"]


PROVENANCE_ATTACKS: dict[str, tuple[Callable[[Any], Any], tuple[str, str]]] = {
    "wrong builder": (lambda s: s["runDetails"]["builder"].update(id="https://evil.example.com/"),
                      ("builder", "provenance.builders")),
    "builder that only begins alike": (lambda s: s["runDetails"]["builder"].update(id="https://ci.example.com.evil/"),
                                       ("builder", "provenance.builders")),
    "no builder": (lambda s: s["runDetails"]["builder"].update(id=""), ("builder", "provenance.builders")),
    "another build type": (lambda s: s["buildDefinition"].update(buildType="https://x"),
                           ("build-type", "provenance.build-types")),
    "steps left out": (lambda s: s["buildDefinition"].pop("internalParameters"), ("mode", "provenance.mode")),
    "parameters left out": (lambda s: _metadata(s)["buildkit_completeness"].update(request=False),
                            ("completeness", "provenance.complete")),
    "dirty source": (lambda s: _metadata(s)["buildkit_metadata"]["vcs"].update(revision="a" * 40 + "-dirty"),
                     ("dirty", "source.dirty")),
    "unknown revision": (lambda s: _metadata(s)["buildkit_metadata"]["vcs"].pop("revision"),
                         ("dirty", "source.dirty")),
    "another source": (lambda s: _metadata(s)["buildkit_metadata"]["vcs"].update(source="https://evil.example.com/"),
                       ("source", "source.allowed")),
    "a remote context beside a repository that may be": (
        lambda s: s["buildDefinition"]["externalParameters"]["configSource"].update(uri="https://evil.example.com/"),
        ("source", "source.allowed")),
    "unpinned material": (lambda s: _materials(s)[0].pop("digest"), ("material-digest", "materials.digests")),
    "material of another digest": (lambda s: _materials(s)[0]["digest"].update(sha256="2" * 64),
                                   ("pin", "materials.pins.docker.io/library/debian:12")),
    "base of another digest": (lambda s: _materials(s)[0]["digest"].update(sha256="2" * 64),
                               ("base", "bases.digests")),
    "another base": (lambda s: _materials(s)[0].update(uri="pkg:docker/alpine@3"), ("base", "bases.allowed")),
    "material from elsewhere": (lambda s: _materials(s).append({"uri": "https://evil.example.com/x", "digest": {
        "sha256": "3" * 64}}), ("material", "materials.allowed")),
    "denied material": (lambda s: _materials(s).append({"uri": "pkg:docker/debian@latest", "digest": {
        "sha256": "1" * 64}}), ("material", "materials.denied")),
    "stale provenance": (lambda s: _metadata(s).update(finishedOn="2025-12-01T00:00:00Z"),
                         ("age", "age.provenance")),
    "provenance of the future": (lambda s: _metadata(s).update(finishedOn="2026-02-01T00:00:00Z"),
                                 ("age", "age.provenance")),
    "provenance without time": (lambda s: _metadata(s).pop("finishedOn"), ("age", "age.provenance")),
}  # fmt: skip


@pytest.mark.parametrize("attack", PROVENANCE_ATTACKS)
def test_provenance_that_a_policy_does_not_allow_fails_the_rule(attack: str) -> None:
    change, expected = PROVENANCE_ATTACKS[attack]
    assert expected in failures(good(slsa=_changed(PROVENANCE, change)))


def _package(sbom: Any) -> Any:
    return sbom["packages"][1]


SBOM_ATTACKS: dict[str, tuple[Callable[[Any], Any], tuple[str, str]]] = {
    "forbidden version": (lambda s: _package(s).update(versionInfo="3.0.1-1"),
                          ("package", "packages.forbidden[0]")),
    "forbidden package without version": (lambda s: _package(s).pop("versionInfo"),
                                          ("package", "packages.forbidden[0]")),
    "required package taken out": (lambda s: s["packages"].pop(0), ("package", "packages.required[0]")),
    "licence that is denied": (lambda s: _package(s).update(licenseDeclared="AGPL-3.0-only"),
                               ("license", "licenses")),
    "licence that is not allowed": (lambda s: _package(s).update(licenseConcluded="BUSL-1.1"),
                                    ("license", "licenses")),
    "licence beside an allowed one": (lambda s: _package(s).update(licenseConcluded="MIT AND BUSL-1.1"),
                                      ("license", "licenses")),
    "stale SBOM": (lambda s: s["creationInfo"].update(created="2025-01-01T00:00:00Z"), ("age", "age.sbom")),
    "SBOM of the future": (lambda s: s["creationInfo"].update(created="2027-01-01T00:00:00Z"),
                           ("age", "age.sbom")),
}  # fmt: skip


@pytest.mark.parametrize("attack", SBOM_ATTACKS)
def test_an_sbom_that_a_policy_does_not_allow_fails_the_rule(attack: str) -> None:
    change, expected = SBOM_ATTACKS[attack]
    assert expected in failures(good(spdx=_changed(SBOM, change)))


def test_a_forbidden_package_in_an_extra_sbom_is_found() -> None:
    memory = good()
    hidden = _changed(SBOM, lambda sbom: sbom["packages"][1].update(versionInfo="1.1.1"))

    def extend(manifest: Any) -> None:
        statement = memory.load(manifest["layers"][0])
        layer = manifest["layers"][0] | memory.put(json.dumps(statement | {"predicate": hidden}).encode())
        manifest["layers"].append(layer)

    memory.edit_manifest(2, extend)
    assert failures(memory) == {("package", "packages.forbidden[0]")}


def test_provenance_that_no_rule_can_look_into_does_not_pass_beside_one_that_all_are_content_with() -> None:
    memory = good()
    odd = _changed(PROVENANCE, lambda slsa: _metadata(slsa).update(buildkit_metadata=[]))

    def extend(manifest: Any) -> None:
        statement = memory.load(manifest["layers"][1])
        layer = manifest["layers"][1] | memory.put(json.dumps(statement | {"predicate": odd}).encode())
        manifest["layers"].append(layer)

    memory.edit_manifest(2, extend)
    assert failures(memory) == {("predicate", "")}


def _drop_statement(number: int) -> Callable[[Memory], None]:
    return lambda memory: memory.edit_manifest(2, lambda manifest: manifest["layers"].pop(number))


IMAGE_ATTACKS: dict[str, tuple[Callable[[Memory], None], tuple[str, str]]] = {
    "SBOM taken out": (_drop_statement(0), ("required", "attestations.required")),
    "provenance taken out": (_drop_statement(1), ("required", "attestations.required")),
    "all attestations taken out": (lambda m: m.edit_index(lambda i: i.update(manifests=i["manifests"][:2])),
                                   ("required", "attestations.required")),
    "rules of provenance without provenance": (_drop_statement(1), ("provenance", "provenance")),
    "rules of packages without SBOM": (_drop_statement(0), ("package", "packages")),
    "age of what is not there": (_drop_statement(0), ("age", "age.sbom")),
    "statement about nothing": (
        lambda m: m.edit_blob(2, lambda manifest: manifest["layers"][0], lambda s: s.update(subject=[])),
        ("empty-subjects", "attestations.empty-subjects")),
    "label taken out": (
        lambda m: m.edit_blob(0, lambda manifest: manifest["config"], lambda c: c["config"].pop("Labels")),
        ("label", "labels.org.opencontainers.image.source")),
    "annotation of the index changed": (
        lambda m: m.edit_index(lambda i: i["annotations"].update({"org.opencontainers.image.vendor": "Evil"})),
        ("annotation", "annotations.index.org.opencontainers.image.vendor")),
    "annotation of a manifest taken out": (
        lambda m: m.edit_manifest(0, lambda manifest: manifest.pop("annotations")),
        ("annotation", "annotations.manifest.org.opencontainers.image.version")),
    "annotated base that provenance does not know": (
        lambda m: m.edit_manifest(0, lambda manifest: manifest["annotations"].update(
            {"org.opencontainers.image.base.digest": "sha256:" + "2" * 64})), ("base", "bases")),
    "annotated base that is not allowed": (
        lambda m: m.edit_manifest(0, lambda manifest: manifest["annotations"].update(
            {"org.opencontainers.image.base.name": "evil.example.com/debian:12"})), ("base", "bases.allowed")),
    "platform stripped": (
        lambda m: m.edit_index(lambda i: i.update(manifests=[i["manifests"][0], i["manifests"][2]])),
        ("platform-required", "platforms")),
}  # fmt: skip


@pytest.mark.parametrize("attack", IMAGE_ATTACKS)
def test_an_image_that_was_changed_fails_the_rule(attack: str) -> None:
    change, expected = IMAGE_ATTACKS[attack]
    memory = good()
    old = [entry["digest"] for entry in memory.load({"digest": memory.root.digest})["manifests"]]
    change(memory)
    entries = memory.load({"digest": memory.root.digest})["manifests"]
    if len(entries) == 4:
        memory.retarget(2, old[0], entries[0])
    assert expected in failures(memory)


def test_layers_that_live_elsewhere_fail_where_all_must_be_here() -> None:
    memory = good()
    del memory.blobs[Digest.of(b"one")]
    assert failures(memory, elsewhere="example.org/app") == {("complete", "require-complete")}


SIGNED = ("signed", "signatures.signed")


def test_a_key_that_is_not_listed_counts_for_nothing() -> None:
    assert failures(signed(good(), OTHER), example()) == {SIGNED}


def test_keys_are_counted_and_not_signatures() -> None:
    text = EXAMPLE.replace('["release.pub"]', '["release.pub", "other.pub"]').replace(
        "threshold = 1", "threshold = 2"
    )
    policy = example(text, keys={"release.pub": KEY, "other.pub": OTHER})
    assert failures(signed(signed(good())), policy) == {SIGNED}
    assert failures(signed(signed(good()), OTHER), policy) == set()


def test_a_replaced_statement_fails_where_statements_must_be_signed_and_the_index_is_not() -> None:
    text = EXAMPLE.replace(
        'signed = ["index", "manifests", "statements"]', 'signed = ["manifests", "statements"]'
    )
    memory = signed(good())
    assert failures(memory, example(text)) == set()
    memory.edit_blob(2, lambda m: m["layers"][0], lambda s: s["predicate"].update(name="replaced"))
    assert failures(memory, example(text)) == {SIGNED}


def test_a_replaced_statement_fails_where_the_index_must_be_signed() -> None:
    text = EXAMPLE.replace('signed = ["index", "manifests", "statements"]', 'signed = ["index"]')
    memory = signed(good())
    memory.edit_blob(2, lambda m: m["layers"][0], lambda s: s["predicate"].update(name="replaced"))
    assert failures(memory, example(text)) == {SIGNED}


def _signed_statements(change: Callable[[bytes], bytes], **more: Any) -> set[tuple[str, str]]:
    """What fails when envelopes are over other statements than the index has."""
    memory = good()
    for subject, content in memory.statements():
        memory.sign_statement(subject, KEY, change(content), **more)
    text = EXAMPLE.replace('signed = ["index", "manifests", "statements"]', 'signed = ["statements"]')
    return failures(memory, example(text))


def test_an_envelope_with_the_same_statement_holds() -> None:
    assert _signed_statements(lambda content: content) == set()


def test_an_envelope_with_another_statement_fails() -> None:
    assert _signed_statements(lambda content: content.replace(b'"predicate":{', b'"predicate":{"x":1,')) == {
        SIGNED
    }


def test_an_envelope_of_another_payload_type_fails() -> None:
    assert _signed_statements(lambda content: content, payload_type="text/plain") == {SIGNED}


def test_an_envelope_about_another_image_fails() -> None:
    def elsewhere(content: bytes) -> bytes:
        statement = json.loads(content)
        statement["subject"][0]["digest"]["sha256"] = "4" * 64
        return json.dumps(statement, separators=(",", ":")).encode()

    assert _signed_statements(elsewhere) == {SIGNED}


def test_a_tag_that_was_moved_to_another_image_has_no_signature() -> None:
    memory, other = signed(good()), good()
    other.edit_index(lambda index: index["annotations"].update(moved="yes"))
    memory.blobs |= other.blobs
    memory.root = other.root
    text = EXAMPLE.replace('signed = ["index", "manifests", "statements"]', 'signed = ["index"]')
    assert failures(memory, example(text)) == {SIGNED}


def test_provenance_of_the_older_form_is_judged_alike() -> None:
    slsa = {
        "builder": {"id": "https://ci.example.com/42"}, "buildType": "https://mobyproject.org/buildkit@v1",
        "materials": _materials(PROVENANCE), "buildConfig": {}, "invocation": {"configSource": {}},
        "metadata": {
            "buildFinishedOn": "2026-01-01T00:00:00Z", "completeness": {"parameters": True},
            "https://mobyproject.org/buildkit@v1#metadata": {
                "vcs": {"source": "https://git.example.com/shop/app", "revision": "a" * 40}},
        },
    }  # fmt: skip
    older = "https://slsa.dev/provenance/v0.2"
    memory = good()
    for position in (2, 3):
        memory.edit_blob(
            position,
            lambda manifest: manifest["layers"][1],
            lambda statement: statement.update(predicateType=older, predicate=slsa),
        )
        memory.edit_manifest(
            position, lambda m: m["layers"][1]["annotations"].update({"in-toto.io/predicate-type": older})
        )
    assert failures(memory) == set()


def test_reports_carry_the_key_path_of_the_rule() -> None:
    findings = judged(good(slsa=_changed(PROVENANCE, PROVENANCE_ATTACKS["wrong builder"][0])), UNSIGNED)
    report = json.loads(as_json("app:1", Digest.of(b""), findings))
    sarif = json.loads(as_sarif("app:1", "1", findings))
    assert {each["rule"] for each in report["findings"] if each["state"] == "failed"} == {
        "provenance.builders"
    }
    assert sarif["runs"][0]["results"][0]["properties"] == {"policy": "provenance.builders"}
    assert "[provenance.builders]" in as_text("app:1", findings)
