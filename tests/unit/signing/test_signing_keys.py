"""Keys: what is read, what is refused, and that nothing of a private key or passphrase is ever shown."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl import bindings
from signed import PASSPHRASE, pem, private_key, public_key, raw_key

from exporter.attest.signing.errors import InvalidKey
from exporter.attest.signing.keyfiles import (
    generate_private_key,
    read_private_key,
    read_public_key,
    sealed_pem,
)
from exporter.attest.signing.sealed import seal, unseal

SIGNING = ("p256", "ed25519")


@pytest.mark.parametrize("kind", SIGNING)
def test_what_a_private_key_signs_its_public_key_accepts(kind: str) -> None:
    assert public_key(kind).verify(b"message", private_key(kind).sign(b"message"))


@pytest.mark.parametrize("kind", SIGNING)
def test_signing_the_same_twice_gives_the_same_bytes(kind: str) -> None:
    assert private_key(kind).sign(b"message") == private_key(kind).sign(b"message")


@pytest.mark.parametrize("kind", SIGNING)
def test_another_key_of_the_same_kind_does_not_accept_the_signature(kind: str) -> None:
    other = read_public_key(
        generate_private_key().public.pem if kind == "p256" else public_key("p256").pem, origin="other"
    )
    assert not other.verify(b"message", private_key(kind).sign(b"message"))


@pytest.mark.parametrize("kind", SIGNING)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_bit_that_is_flipped_in_message_or_signature_or_key_is_noticed(
    kind: str, data: st.DataObject
) -> None:
    message, public = data.draw(st.binary(min_size=1, max_size=40)), public_key(kind)
    signature = private_key(kind).sign(message)
    parts = [message, signature, public.der]
    at = data.draw(st.sampled_from(range(3)))
    parts[at] = flipped(parts[at], data.draw(st.integers(0, 8 * len(parts[at]) - 1)))
    try:
        encoded = base64.encodebytes(parts[2])
        changed = read_public_key(
            b"-----BEGIN PUBLIC KEY-----\n" + encoded + b"-----END PUBLIC KEY-----\n", origin="changed"
        )
    except InvalidKey:
        return
    assert not changed.verify(parts[0], parts[1])


@given(signature=st.binary(max_size=200))
@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "ed25519", "rsa"])
def test_bytes_that_are_no_signature_are_none_and_raise_nothing(kind: str, signature: bytes) -> None:
    assert not public_key(kind).verify(b"message", signature)


@given(text=st.binary(max_size=300))
def test_garbage_is_no_key_and_raises_nothing_else(text: bytes) -> None:
    for content in (text, b"-----BEGIN PUBLIC KEY-----\n" + text, b"-----BEGIN PRIVATE KEY-----\n" + text):
        with pytest.raises(InvalidKey):
            read_public_key(content, origin="garbage")
        with pytest.raises(InvalidKey):
            read_private_key(content, origin="garbage", passphrase=bytes)


def test_a_signature_with_the_hash_of_a_larger_curve_is_accepted() -> None:
    key = raw_key("p384")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert public_key("p384").verify(b"message", key.sign(b"message", ec.ECDSA(hashes.SHA384())))
    assert public_key("p384").verify(b"message", key.sign(b"message", ec.ECDSA(hashes.SHA256())))


def test_an_rsa_signature_is_verified_although_none_is_made() -> None:
    signature = raw_key("rsa").sign(b"message", padding.PKCS1v15(), hashes.SHA256())  # type: ignore[union-attr, call-arg, arg-type]
    assert public_key("rsa").verify(b"message", signature)
    with pytest.raises(InvalidKey, match="does not sign with keys of this kind"):
        private_key("rsa")


def test_a_prehashed_ed25519_signature_as_cosign_makes_them_is_accepted() -> None:
    seed = raw_key("ed25519").private_bytes_raw()  # type: ignore[union-attr]
    state = bindings.crypto_sign_ed25519ph_state()
    bindings.crypto_sign_ed25519ph_update(state, b"message")
    signature = bindings.crypto_sign_ed25519ph_final_create(state, bindings.crypto_sign_seed_keypair(seed)[1])
    assert public_key("ed25519").verify(b"message", signature)
    assert not public_key("ed25519").verify(b"massage", signature)


def test_dockyard_signs_only_with_keys_that_every_verifier_takes() -> None:
    with pytest.raises(InvalidKey, match="does not sign with ecdsa-p384"):
        private_key("p384")


def test_the_id_of_a_key_is_the_hint_that_cosign_writes() -> None:
    key = public_key()
    assert key.id == base64.b64encode(hashlib.sha256(key.der).digest()).decode()


def test_a_sealed_key_is_read_with_its_passphrase() -> None:
    key = generate_private_key()
    again = read_private_key(sealed_pem(key, PASSPHRASE), origin="cosign.key", passphrase=lambda: PASSPHRASE)
    assert again.public == key.public


def test_a_wrong_passphrase_is_told_from_nothing_and_shown_nowhere() -> None:
    sealed = sealed_pem(private_key(), PASSPHRASE)
    with pytest.raises(InvalidKey, match=r"cosign\.key: .*the passphrase is wrong") as caught:
        read_private_key(sealed, origin="cosign.key", passphrase=lambda: b"battery staple")
    assert "battery" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_key_behind_a_passphrase_of_openssl_is_read_too() -> None:
    encrypted = raw_key("p256").private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE)
    )
    key = read_private_key(encrypted, origin="key.pem", passphrase=lambda: PASSPHRASE)
    assert key.public == public_key()


def test_a_plain_key_asks_for_no_passphrase() -> None:
    def never() -> bytes:
        raise AssertionError

    assert read_private_key(pem("p256"), origin="key.pem", passphrase=never).public == public_key()


def test_a_private_key_in_place_of_a_public_one_is_refused_in_words() -> None:
    with pytest.raises(InvalidKey, match="is a private key; signatures are verified with the public one"):
        read_public_key(pem("p256"), origin="mine.key")


@pytest.mark.parametrize("kind", SIGNING)
def test_the_representation_of_a_private_key_shows_none_of_it(kind: str) -> None:
    key = private_key(kind)
    secret = b"".join(pem(kind).splitlines()[1:-1]).decode()
    assert not any(secret[start : start + 12] in repr(key) + str(key) for start in range(len(secret) - 12))


def test_what_was_sealed_is_what_is_unsealed() -> None:
    assert unseal(seal(b"content", PASSPHRASE), PASSPHRASE) == b"content"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"N":65536', b'"N":1073741824'),
        (b'"r":8', b'"r":8388608'),
        (b'"p":1', b'"p":100000'),
        (b'"N":65536', b'"N":65535'),
        (b'"N":65536', b'"N":0'),
    ],
)
def test_a_key_file_cannot_make_scrypt_take_all_memory(old: bytes, new: bytes) -> None:
    with pytest.raises(InvalidKey, match="scrypt"):
        unseal(seal(b"content", PASSPHRASE).replace(old, new), PASSPHRASE)


@given(sealed=st.binary(max_size=100))
def test_garbage_is_never_unsealed(sealed: bytes) -> None:
    with pytest.raises(InvalidKey):
        unseal(sealed, PASSPHRASE)


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
