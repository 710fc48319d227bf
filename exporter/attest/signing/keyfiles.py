"""Keys in files: read, refused in words, and written as cosign writes them.

What a file holds appears in no message, nor does the passphrase that opens it; the reasons of the library are not
passed on, because they may quote what they read.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

from exporter.attest.signing.errors import InvalidKey
from exporter.attest.signing.keys import PrivateKey, PublicKey, public_key_of
from exporter.attest.signing.sealed import seal, unseal

if TYPE_CHECKING:
    from collections.abc import Callable

_SIGNING: Final = frozenset({"ecdsa-p256", "ed25519"})
_SEALED: Final = ("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY")
_MAX_PEM: Final = 64 << 10
_USABLE: Final = "sign with a key for ECDSA P-256 or Ed25519, for example of `dockyard generate-key-pair`"


def generate_private_key() -> PrivateKey:
    """A new key for ECDSA P-256, as `cosign generate-key-pair` makes them."""
    from cryptography.hazmat.primitives.asymmetric import ec

    return PrivateKey(ec.generate_private_key(ec.SECP256R1()), origin="generated")


def read_private_key(pem: bytes, *, origin: str, passphrase: Callable[[], bytes]) -> PrivateKey:
    """The key in `pem`: PKCS #8, SEC 1, or cosign's encrypted form, for which `passphrase` is asked.

    Raises: InvalidKey, also for keys that dockyard does not sign with.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

    _require_pem(pem, origin)
    try:
        if (sealed := _sealed_block(pem)) is not None:
            key = load_der_private_key(unseal(sealed, passphrase()), password=None)
        else:
            encrypted = b"ENCRYPTED" in pem
            key = load_pem_private_key(pem, password=passphrase() if encrypted else None)
    except InvalidKey as error:
        raise InvalidKey(f"{origin}: {error.message}", hint=error.hint) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidKey(
            f"{origin}: no private key that dockyard can read, or its passphrase is wrong", hint=_USABLE
        ) from None
    return _signing_key(key, origin)


def read_public_key(pem: bytes, *, origin: str) -> PublicKey:
    """The key in `pem` (SubjectPublicKeyInfo): ECDSA P-256, P-384, P-521, Ed25519, or RSA of 2048 bits and more.

    Raises: InvalidKey.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    _require_pem(pem, origin)
    if b"PRIVATE KEY" in pem:
        raise InvalidKey(
            f"{origin} is a private key; signatures are verified with the public one",
            hint="give the .pub file that belongs to it",
        )
    try:
        public = public_key_of(load_der_public_key(_block(pem, "PUBLIC KEY") or b""), origin=origin)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidKey(
            f"{origin}: no public key that dockyard can read",
            hint="a PEM file that begins with BEGIN PUBLIC KEY",
        ) from None
    if public.der != _block(pem, "PUBLIC KEY"):
        # One key has one text and one id: a point may be written in other ways, which nobody does.
        raise InvalidKey(f"{origin}: the public key is not in its usual DER form")
    return public


def sealed_pem(key: PrivateKey, passphrase: bytes) -> bytes:
    """`key` as PEM in cosign's form, behind `passphrase`."""
    return _pem(_SEALED[0], seal(key.der, passphrase))


def _signing_key(key: object, origin: str) -> PrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise InvalidKey(f"{origin}: dockyard does not sign with keys of this kind", hint=_USABLE)
    private = PrivateKey(key, origin=origin)
    if private.public.algorithm not in _SIGNING:
        raise InvalidKey(f"{origin}: dockyard does not sign with {private.public.algorithm}", hint=_USABLE)
    return private


def _require_pem(pem: bytes, origin: str) -> None:
    if len(pem) > _MAX_PEM or b"-----BEGIN " not in pem:
        raise InvalidKey(f"{origin} is no key: there is no PEM block in it")


def _sealed_block(pem: bytes) -> bytes | None:
    """What is in a PEM block of cosign's; None when it is another one."""
    return next((block for name in _SEALED if (block := _block(pem, name)) is not None), None)


def _block(pem: bytes, name: str) -> bytes | None:
    """What is in the PEM block called so; None when there is none, nothing when it is damaged."""
    _, found, rest = pem.partition(f"-----BEGIN {name}-----".encode())
    body, ended, _ = rest.partition(f"-----END {name}-----".encode())
    if not found:
        return None
    try:
        return base64.b64decode(b"".join(body.split()), validate=True) if ended else b""
    except binascii.Error:
        return b""


def _pem(name: str, content: bytes) -> bytes:
    text = base64.b64encode(content).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join((f"-----BEGIN {name}-----", *lines, f"-----END {name}-----", "")).encode()
