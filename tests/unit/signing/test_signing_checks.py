"""Which signatures hold: those that a given key made over this very digest, in both forms; the others say why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from signed import SUBJECT, MemoryPlace, private_key, public_key

from builder.oci.digest import Digest
from builder.oci.manifest import decode_manifest
from builder.oci.mediatypes import OCI_MANIFEST
from exporter.attest.signing.bundle import BUNDLE, encode_bundle
from exporter.attest.signing.carriers import (
    Carrier,
    attestation_layer,
    bundle_carrier,
    carrier_tag,
    signature_layer,
    tag_carrier,
)
from exporter.attest.signing.checking import Signature, check_signatures
from exporter.attest.signing.claims import IMAGE_SIGNED, image_statement, read_claims, statement_about
from exporter.attest.signing.dsse import encode_envelope, sign_envelope
from exporter.attest.signing.simplesigning import encode_payload

if TYPE_CHECKING:
    from builder.oci.descriptor import Descriptor

IN_TOTO = "application/vnd.in-toto+json"
SPDX = "https://spdx.dev/Document"
OTHER = Digest.of(b"another image")
STATEMENT = json.dumps(
    {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [],
        "predicateType": SPDX,
        "predicate": {"name": "app"},
    }
).encode()


def tagged_signature(digest: Digest = SUBJECT.digest, kind: str = "p256") -> Carrier:
    payload = encode_payload(digest, repository="example.org/app")
    return tag_carrier("signatures", SUBJECT, [signature_layer(payload, private_key(kind).sign(payload))])


def tagged_attestation(digest: Digest = SUBJECT.digest) -> Carrier:
    envelope = sign_envelope(IN_TOTO, statement_about(STATEMENT, [digest]), [private_key()])
    return tag_carrier("attestations", SUBJECT, [attestation_layer(encode_envelope(envelope), SPDX)])


def bundled(statement: bytes, predicate_type: str, subject: Descriptor = SUBJECT) -> Carrier:
    envelope = sign_envelope(IN_TOTO, statement, [private_key()])
    return bundle_carrier(subject, encode_bundle(envelope, public_key()), predicate_type)


def bundled_signature(digest: Digest = SUBJECT.digest) -> Carrier:
    return bundled(image_statement(digest), IMAGE_SIGNED)


def bundled_attestation(digest: Digest = SUBJECT.digest) -> Carrier:
    return bundled(statement_about(STATEMENT, [digest]), SPDX)


ALL = (tagged_signature, tagged_attestation, bundled_signature, bundled_attestation)


def only(place: MemoryPlace, *kinds: str) -> Signature:
    (found,) = check_signatures(place, SUBJECT, [public_key(kind) for kind in kinds or ("p256",)])
    return found


@pytest.mark.parametrize("make", ALL)
def test_a_signature_of_a_given_key_holds_in_every_form(make: type[Carrier]) -> None:
    found = only(MemoryPlace(make()), "ed25519", "p256")
    assert (found.key, found.problem) == (public_key(), "")
    assert found.kind == ("attestation" if "attestation" in make.__name__ else "image")
    assert found.form == ("tag" if "tagged" in make.__name__ else "bundle")


@pytest.mark.parametrize("make", [tagged_attestation, bundled_attestation])
def test_a_signed_statement_is_told_with_its_claims_and_its_bytes(make: type[Carrier]) -> None:
    found = only(MemoryPlace(make()))
    assert found.claims is not None
    assert (found.claims.predicate_type, found.claims.subjects) == (SPDX, (SUBJECT.digest,))
    assert read_claims(found.payload) == found.claims


@pytest.mark.parametrize("make", ALL)
def test_a_signature_of_another_key_does_not_hold(make: type[Carrier]) -> None:
    found = only(MemoryPlace(make()), "ed25519", "another")
    assert (found.holds, found.problem) == (False, "no given key made this signature")


@pytest.mark.parametrize("make", ALL)
def test_a_good_signature_over_another_image_does_not_hold_here(make: object) -> None:
    found = only(MemoryPlace(make(OTHER)))  # type: ignore[operator]
    assert not found.holds
    assert f"another image: {OTHER}" in found.problem


def test_a_bundle_whose_manifest_hangs_on_something_else_does_not_hold() -> None:
    other = replace(SUBJECT, digest=OTHER)
    found = only(MemoryPlace(bundled(image_statement(SUBJECT.digest), IMAGE_SIGNED, other)))
    assert found.problem == "its manifest names another subject"


def test_a_broken_signature_does_not_hide_the_good_one() -> None:
    place = MemoryPlace(tagged_signature(OTHER), bundled_signature())
    place.found.insert(0, replace(place.found[0], digest=Digest.of(b"missing")))
    found = check_signatures(place, SUBJECT, [public_key()])
    assert [each.holds for each in found] == [False, False, True]
    assert "cannot be read" in found[0].problem


def test_an_envelope_over_no_statement_says_nothing_about_the_image() -> None:
    envelope = sign_envelope("text/plain", image_statement(SUBJECT.digest), [private_key()])
    carrier = bundle_carrier(SUBJECT, encode_bundle(envelope, public_key()), IMAGE_SIGNED)
    assert only(MemoryPlace(carrier)).problem == "it is over no statement: 'text/plain'"


def test_a_bundle_with_a_certificate_says_that_it_is_not_judged() -> None:
    envelope = sign_envelope(IN_TOTO, image_statement(SUBJECT.digest), [private_key()])
    document = json.loads(encode_bundle(envelope, public_key()))
    document["verificationMaterial"] = {"certificate": {"rawBytes": "QQ=="}}
    carrier = bundle_carrier(SUBJECT, json.dumps(document).encode(), IMAGE_SIGNED)
    assert "a certificate" in only(MemoryPlace(carrier), "another").problem


def test_a_bundle_over_the_bytes_of_the_manifest_holds() -> None:
    import base64
    import hashlib

    from signed import SUBJECT_CONTENT

    digest = base64.b64encode(hashlib.sha256(SUBJECT_CONTENT).digest()).decode()
    signature = base64.b64encode(private_key().sign(SUBJECT_CONTENT)).decode()
    document = {
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": "x"}},
        "messageSignature": {
            "messageDigest": {"algorithm": "SHA2_256", "digest": digest},
            "signature": signature,
        },
    }
    carrier = bundle_carrier(SUBJECT, json.dumps(document).encode(), IMAGE_SIGNED)
    assert only(MemoryPlace(carrier)).holds


@pytest.mark.parametrize("make", ALL)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_bit_of_what_is_stored_changes_and_leaves_a_signature(
    make: type[Carrier], data: st.DataObject
) -> None:
    carrier = make()
    blob = data.draw(st.sampled_from([document.descriptor.digest for document in carrier.documents[:1]]))
    place = MemoryPlace(carrier)
    changed = bytearray(place.blobs[blob])
    bit = data.draw(st.integers(0, 8 * len(changed) - 1))
    changed[bit // 8] ^= 1 << bit % 8
    place.blobs[blob] = bytes(changed)
    assert not any(each.holds for each in check_signatures(place, SUBJECT, [public_key()]))


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=200))
def test_a_carrier_of_garbage_is_a_result_and_no_error(content: bytes) -> None:
    place = MemoryPlace(tagged_signature())
    place.blobs[place.found[0].digest] = content
    assert not any(each.holds for each in check_signatures(place, SUBJECT, [public_key()]))


def test_the_tags_are_those_that_cosign_asks_for() -> None:
    digest = Digest.parse("sha256:" + "ab" * 32)
    assert carrier_tag("signatures", digest) == "sha256-" + "ab" * 32 + ".sig"
    assert carrier_tag("attestations", digest) == "sha256-" + "ab" * 32 + ".att"


def test_a_signature_is_added_once_behind_those_that_were_there() -> None:
    first = tagged_signature()
    before = tuple(document.descriptor for document in first.documents[:-2])
    payload = encode_payload(SUBJECT.digest, repository="example.org/app")
    layers = [signature_layer(payload, private_key(kind).sign(payload)) for kind in ("p256", "ed25519")]
    both = tag_carrier("signatures", SUBJECT, layers, before=before)
    merged = decode_manifest(both.documents[-1].content, OCI_MANIFEST).layers
    assert merged == (*before, layers[1].descriptor)


def test_equal_signatures_make_equal_carriers() -> None:
    assert bundled_signature() == bundled_signature()
    assert tagged_attestation() == tagged_attestation()
