"""Private keys behind a passphrase, in the form that cosign gives them.

A PEM block holds JSON: the parameters of scrypt, which makes a key of the passphrase, and a NaCl secretbox with
the PKCS #8 key. Source: go-securesystemslib, package `encrypted`, which is a port of theupdateframework's.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

import msgspec

from exporter.attest.signing.errors import InvalidKey

if TYPE_CHECKING:
    from nacl.secret import SecretBox

_KEY: Final = 32
_MAX_COST: Final = 1 << 20
_MAX_MEMORY: Final = 512 << 20
"""Bytes that the parameters of somebody's key file may make scrypt take."""
_COST, _BLOCK, _PARALLEL = 65536, 8, 1
"""What cosign's own keys have: 64 MiB and a fifth of a second."""


class _Parameters(msgspec.Struct, frozen=True):
    cost: int = msgspec.field(name="N")
    block: int = msgspec.field(name="r")
    parallel: int = msgspec.field(name="p")


class _Derivation(msgspec.Struct, frozen=True):
    name: str
    params: _Parameters
    salt: bytes


class _Cipher(msgspec.Struct, frozen=True):
    name: str
    nonce: bytes


class _Sealed(msgspec.Struct, frozen=True):
    kdf: _Derivation
    cipher: _Cipher
    ciphertext: bytes


def seal(content: bytes, passphrase: bytes) -> bytes:
    """`content`, readable with `passphrase` alone; another text every time."""
    parameters = _Parameters(_COST, _BLOCK, _PARALLEL)
    salt, nonce = os.urandom(32), os.urandom(24)
    box = _box(_Derivation("scrypt", parameters, salt), passphrase)
    sealed = box.encrypt(content, nonce).ciphertext
    return msgspec.json.encode(
        _Sealed(_Derivation("scrypt", parameters, salt), _Cipher("nacl/secretbox", nonce), sealed)
    )


def unseal(sealed: bytes, passphrase: bytes) -> bytes:
    """What `seal` was given. Raises: InvalidKey, when the passphrase or the text is not right."""
    from nacl.exceptions import CryptoError

    try:
        parsed = msgspec.json.decode(sealed, type=_Sealed)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidKey("the encrypted private key is damaged: it is not cosign's JSON") from None
    if parsed.kdf.name != "scrypt" or parsed.cipher.name != "nacl/secretbox":
        raise InvalidKey(
            "the private key is encrypted in a way that dockyard does not know",
            hint="keys of `cosign generate-key-pair` use scrypt and nacl/secretbox",
        )
    box = _box(parsed.kdf, passphrase)
    if len(parsed.cipher.nonce) != box.NONCE_SIZE:
        raise InvalidKey("the encrypted private key is damaged: its nonce has a wrong length")
    try:
        return bytes(box.decrypt(parsed.ciphertext, parsed.cipher.nonce))
    except (CryptoError, ValueError):
        raise InvalidKey(
            "the private key cannot be decrypted: the passphrase is wrong, or the key is damaged",
            hint="the passphrase is read from COSIGN_PASSWORD",
        ) from None


def _box(derivation: _Derivation, passphrase: bytes) -> SecretBox:
    # Loaded here because no command but those that sign needs it.
    from nacl.secret import SecretBox

    asked = derivation.params
    memory = 128 * asked.cost * asked.block
    if not (
        1 < asked.cost <= _MAX_COST and asked.block > 0 and 0 < asked.parallel <= 16 and memory <= _MAX_MEMORY
    ):
        raise InvalidKey("the encrypted private key is damaged: its scrypt parameters are out of bounds")
    try:
        key = hashlib.scrypt(
            passphrase,
            salt=derivation.salt,
            n=asked.cost,
            r=asked.block,
            p=asked.parallel,
            maxmem=memory + (64 << 20),
            dklen=_KEY,
        )
    except (ValueError, MemoryError):
        raise InvalidKey(
            "the encrypted private key is damaged: scrypt does not take its parameters"
        ) from None
    return SecretBox(key)
