"""Envelopes, payloads, bundles and statements: written as cosign writes them, and read without trust."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signed import private_key, public_key

from builder.oci.digest import Digest
from exporter.attest.signing.bundle import MessageSignature, decode_bundle, encode_bundle
from exporter.attest.signing.claims import image_statement, read_claims, statement_about
from exporter.attest.signing.dsse import (
    Envelope,
    decode_envelope,
    encode_envelope,
    pre_authentication,
    sign_envelope,
)
from exporter.attest.signing.errors import MalformedSignature
from exporter.attest.signing.simplesigning import decode_payload, encode_payload
from exporter.attest.signing.text64 import decode64, encode64

if TYPE_CHECKING:
    from collections.abc import Callable

ONE, OTHER = Digest.of(b"one"), Digest.of(b"other")
IN_TOTO = "application/vnd.in-toto+json"
DECODERS: tuple[Callable[[bytes], object], ...] = (
    decode_envelope,
    decode_bundle,
    decode_payload,
    read_claims,
)


def test_what_is_signed_is_the_example_of_the_specification() -> None:
    assert (
        pre_authentication("http://example.com/HelloWorld", b"hello world")
        == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@given(payload=st.binary(max_size=200), payload_type=st.text(max_size=40))
def test_an_envelope_is_read_as_it_was_written(payload: bytes, payload_type: str) -> None:
    envelope = sign_envelope(payload_type, payload, [private_key()])
    assert decode_envelope(encode_envelope(envelope)) == envelope


@settings(deadline=None)
@given(data=st.data())
def test_no_bit_of_an_envelope_changes_unseen(data: st.DataObject) -> None:
    envelope = sign_envelope(IN_TOTO, data.draw(st.binary(min_size=1, max_size=60)), [private_key()])
    encoded = bytearray(encode_envelope(envelope))
    bit = data.draw(st.integers(0, 8 * len(encoded) - 1))
    encoded[bit // 8] ^= 1 << bit % 8
    try:
        changed = decode_envelope(bytes(encoded))
    except MalformedSignature:
        return
    assert changed.signed_by([public_key()]) is None


def test_url_safe_base64_is_read_with_padding_and_without() -> None:
    content = bytes(range(250, 256)) + b"?"
    assert {decode64(text) for text in ("-vv8_f7_Pw==", "-vv8_f7_Pw", "+vv8/f7/Pw==", "+vv8/f7/Pw")} == {
        content
    }


@pytest.mark.parametrize("text", ["AB==", "AB=", "A", "A===", "+_==", "QQ ==", "QQ==\n", "é"])
def test_base64_that_no_encoder_writes_is_refused(text: str) -> None:
    with pytest.raises(MalformedSignature, match="not base64"):
        decode64(text)


@given(content=st.binary(max_size=100))
def test_base64_is_read_as_it_was_written(content: bytes) -> None:
    assert decode64(encode64(content)) == content


@pytest.mark.parametrize("decode", DECODERS)
@given(content=st.one_of(st.binary(max_size=100), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["payload", "payloadType", "signatures", "sig", "critical", "mediaType", "_type",
                         "verificationMaterial", "dsseEnvelope", "subject", "digest", "predicateType"]),
        inner, max_size=4)).map(lambda value: json.dumps(value).encode())))  # fmt: skip
def test_garbage_raises_nothing_but_the_error_that_is_documented(
    decode: Callable[[bytes], object], content: bytes
) -> None:
    with pytest.raises(MalformedSignature):
        decode(content)


def test_nesting_without_end_is_malformed_for_every_reader() -> None:
    for decode in DECODERS:
        with pytest.raises(MalformedSignature):
            decode(b'{"critical":' + b"[" * 100_000)


def test_an_image_signature_says_what_cosigns_does() -> None:
    assert json.loads(encode_payload(ONE, repository="example.org/app")) == {
        "critical": {
            "identity": {"docker-reference": "example.org/app"},
            "image": {"docker-manifest-digest": ONE},
            "type": "cosign container image signature",
        },
        "optional": None,
    }


def test_an_image_signature_is_read_as_it_was_written() -> None:
    payload = decode_payload(encode_payload(ONE, repository="example.org/app"))
    assert (payload.digest, payload.reference) == (ONE, "example.org/app")


def test_a_payload_of_another_type_is_no_image_signature() -> None:
    other = encode_payload(ONE, repository="r").replace(b"cosign container image signature", b"a promise")
    with pytest.raises(MalformedSignature, match="unknown type 'a promise'"):
        decode_payload(other)


def test_a_bundle_has_the_envelope_and_the_hint_of_the_key() -> None:
    envelope = sign_envelope(IN_TOTO, b"{}", [private_key()])
    bundle = decode_bundle(encode_bundle(envelope, public_key()))
    assert (bundle.content, bundle.hint, bundle.keyless) == (envelope, public_key().id, False)


@pytest.mark.parametrize("version", ["0.1", "0.2", "0.3"])
def test_bundles_of_older_versions_are_read(version: str) -> None:
    document = json.loads(encode_bundle(sign_envelope(IN_TOTO, b"{}", [private_key()]), public_key()))
    document["mediaType"] = f"application/vnd.dev.sigstore.bundle+json;version={version}"
    document["verificationMaterial"]["tlogEntries"] = [{"logIndex": "1"}]
    assert isinstance(decode_bundle(json.dumps(document).encode()).content, Envelope)


def test_a_bundle_of_a_version_to_come_is_refused() -> None:
    document = encode_bundle(sign_envelope(IN_TOTO, b"{}", [private_key()]), public_key())
    with pytest.raises(
        MalformedSignature, match=r"unknown type 'application/vnd\.dev\.sigstore\.bundle\.v0\.4"
    ):
        decode_bundle(document.replace(b"v0.3", b"v0.4"))


def test_a_bundle_with_two_signatures_is_refused() -> None:
    envelope = sign_envelope(IN_TOTO, b"{}", [private_key(), private_key("ed25519")])
    with pytest.raises(MalformedSignature, match="exactly one signature"):
        decode_bundle(encode_bundle(envelope, public_key()))


def test_a_bundle_may_have_a_signature_over_something_elsewhere() -> None:
    document = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"certificate": {"rawBytes": "QQ=="}},
        "messageSignature": {
            "messageDigest": {"algorithm": "SHA2_256", "digest": "QQ=="},
            "signature": "Qg==",
        },
    }
    bundle = decode_bundle(json.dumps(document).encode())
    assert (bundle.content, bundle.keyless) == (MessageSignature(digest=b"A", signature=b"B"), True)


def test_the_statement_of_an_image_signature_is_about_its_digest() -> None:
    claims = read_claims(image_statement(ONE))
    assert (claims.subjects, claims.predicate_type) == ((ONE,), "https://sigstore.dev/cosign/sign/v1")


def statement(*subjects: dict[str, object]) -> bytes:
    return json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": subjects,
            "predicateType": "https://spdx.dev/Document",
            "predicate": {"b": 1.0, "a": "<&>"},
        }
    ).encode()


def test_a_statement_gets_the_subjects_that_it_lacks_and_keeps_all_else() -> None:
    before = statement({"name": "pkg:docker/app@1", "digest": {"sha256": ONE.hex}})
    after = read_claims(statement_about(before, [ONE, OTHER]))
    assert after.subjects == (ONE, OTHER)
    assert after.predicate == read_claims(before).predicate


def test_a_statement_about_the_digest_already_stays_byte_for_byte() -> None:
    before = statement({"digest": {"sha256": ONE.hex}})
    assert statement_about(before, [ONE]) is before


def test_subjects_without_a_sha256_count_for_nothing() -> None:
    assert read_claims(statement({"digest": {"gitCommit": "ab"}}, {"name": "x"})).subjects == ()


def test_a_digest_that_is_none_makes_a_statement_malformed() -> None:
    with pytest.raises(MalformedSignature, match="malformed subject"):
        read_claims(statement({"digest": {"sha256": "../etc/passwd"}}))


def test_a_statement_of_an_unknown_type_is_refused() -> None:
    with pytest.raises(MalformedSignature, match="unknown type"):
        read_claims(msgspec.json.encode({"_type": "https://example.org", "predicateType": "x"}))
