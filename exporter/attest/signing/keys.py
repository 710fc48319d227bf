"""Keys: what signs, and what tells whether a signature is one.

ECDSA signatures are ASN.1 DER over SHA-256 of the message. Of Ed25519 there are two kinds in the world: plain,
and with the message hashed first (Ed25519ph), which cosign writes into image signatures; both are read.
What a private key holds appears in no text, `repr` and errors included.
Source: sigstore's client specification, and what cosign 2.5 and 3.1 write.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Literal, Protocol

from exporter.attest.signing.errors import InvalidKey
from exporter.attest.signing.sealed import seal, unseal
from exporter.attest.signing.text64 import encode64

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    _Public = EllipticCurvePublicKey | Ed25519PublicKey | RSAPublicKey
    _Private = EllipticCurvePrivateKey | Ed25519PrivateKey

Algorithm = Literal["ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519", "rsa"]

_CURVES: Final[dict[str, Algorithm]] = {
    "secp256r1": "ecdsa-p256",
    "secp384r1": "ecdsa-p384",
    "secp521r1": "ecdsa-p521",
}
_SIGNING: Final = frozenset({"ecdsa-p256", "ed25519"})
_SEALED: Final = ("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY")
_MAX_PEM: Final = 64 << 10
_MIN_RSA: Final = 2048
_USABLE: Final = "sign with a key for ECDSA P-256 or Ed25519, for example of `cosign generate-key-pair`"


class Signer(Protocol):
    """Signs messages. A key is one; a service that lends certificates would be another."""

    @property
    def public(self) -> PublicKey:
        """What verifies the signatures."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The signature over `message`. Raises: SigningError."""
        ...


class PublicKey:
    """Tells whether a signature over a message was made by the private half.

    `id` is base64 of the SHA-256 of the key's DER form, which cosign writes as a hint into bundles; `origin`
    says to people where the key came from.
    """

    def __init__(self, key: _Public, algorithm: Algorithm, *, origin: str) -> None:
        self._key = key
        self.algorithm = algorithm
        self.origin = origin
        self.id = encode64(hashlib.sha256(self.der).digest())

    @property
    def der(self) -> bytes:
        """SubjectPublicKeyInfo."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return self._key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def pem(self) -> bytes:
        """SubjectPublicKeyInfo as PEM, as in `cosign.pub`."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is one of this key over `message`; any bytes may be given."""
        match self.algorithm:
            case "ed25519":
                return self._verify_ed25519(message, signature)
            case "rsa":
                return self._verify_rsa(message, signature)
            case _:
                return self._verify_ecdsa(message, signature)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"PublicKey({self.id}, {self.origin!r})"

    def _verify_ecdsa(self, message: bytes, signature: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        assert isinstance(self._key, ec.EllipticCurvePublicKey)
        # cosign takes SHA-256 for every curve where nothing else is said, and the curve's own hash elsewhere.
        by_curve = {"ecdsa-p384": hashes.SHA384(), "ecdsa-p521": hashes.SHA512()}.get(self.algorithm)
        for algorithm in (hashes.SHA256(), by_curve):
            try:
                if algorithm is not None:
                    self._key.verify(signature, message, ec.ECDSA(algorithm))
                    return True
            except InvalidSignature:
                continue
        return False

    def _verify_ed25519(self, message: bytes, signature: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        assert isinstance(self._key, Ed25519PublicKey)
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return _verify_prehashed(self._key.public_bytes_raw(), message, signature)
        return True

    def _verify_rsa(self, message: bytes, signature: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding, rsa

        assert isinstance(self._key, rsa.RSAPublicKey)
        try:
            self._key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True


class PrivateKey:
    """A key that signs here (`Signer`)."""

    def __init__(self, key: _Private, *, origin: str) -> None:
        self._key = key
        self.public = _public(key.public_key(), origin=origin)

    def sign(self, message: bytes) -> bytes:
        """The signature over `message`: DER for ECDSA, 64 bytes for Ed25519."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            # Deterministic (RFC 6979): whoever signs the same again changes nothing.
            return self._key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        return self._key.sign(message)

    def sealed(self, passphrase: bytes) -> bytes:
        """The key as PEM in cosign's form, behind `passphrase`."""
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        plain = self._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return _pem(_SEALED[0], seal(plain, passphrase))

    def __repr__(self) -> str:
        return f"PrivateKey(of {self.public!r})"


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
        # The reasons of others may quote what they read; only that it failed is told.
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
        public = _public(load_der_public_key(_block(pem, "PUBLIC KEY") or b""), origin=origin)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidKey(
            f"{origin}: no public key that dockyard can read",
            hint="a PEM file that begins with BEGIN PUBLIC KEY",
        ) from None
    if public.der != _block(pem, "PUBLIC KEY"):
        # One key has one text and one id: a point may be written in other ways, which nobody does.
        raise InvalidKey(f"{origin}: the public key is not in its usual DER form")
    return public


def _public(key: object, *, origin: str) -> PublicKey:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return PublicKey(key, _CURVES[key.curve.name], origin=origin)
    if isinstance(key, ed25519.Ed25519PublicKey):
        return PublicKey(key, "ed25519", origin=origin)
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < _MIN_RSA:
            raise InvalidKey(
                f"{origin}: an RSA key of {key.key_size} bits is too short; {_MIN_RSA} are the least"
            )
        return PublicKey(key, "rsa", origin=origin)
    raise InvalidKey(
        f"{origin}: a key of a kind that dockyard does not know",
        hint="ECDSA (P-256, P-384, P-521), Ed25519 and RSA are known",
    )


def _signing_key(key: object, origin: str) -> PrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise InvalidKey(f"{origin}: dockyard does not sign with keys of this kind", hint=_USABLE)
    private = PrivateKey(key, origin=origin)
    if private.public.algorithm not in _SIGNING:
        raise InvalidKey(f"{origin}: dockyard does not sign with {private.public.algorithm}", hint=_USABLE)
    return private


def _verify_prehashed(public: bytes, message: bytes, signature: bytes) -> bool:
    from nacl import bindings
    from nacl.exceptions import BadSignatureError

    if len(signature) != bindings.crypto_sign_BYTES:
        return False
    state = bindings.crypto_sign_ed25519ph_state()
    bindings.crypto_sign_ed25519ph_update(state, message)
    try:
        return bool(bindings.crypto_sign_ed25519ph_final_verify(state, signature, public))
    except BadSignatureError:
        return False


def _require_pem(pem: bytes, origin: str) -> None:
    if len(pem) > _MAX_PEM or b"-----BEGIN " not in pem:
        raise InvalidKey(f"{origin} is no key: there is no PEM block in it")


def _sealed_block(pem: bytes) -> bytes | None:
    """What is in a PEM block of cosign's; None when it is another one."""
    return next((block for name in _SEALED if (block := _block(pem, name)) is not None), None)


def _block(pem: bytes, name: str) -> bytes | None:
    """What is in the PEM block called so; None when there is none, nothing when it is damaged."""
    import base64
    import binascii

    _, found, rest = pem.partition(f"-----BEGIN {name}-----".encode())
    body, ended, _ = rest.partition(f"-----END {name}-----".encode())
    if not found:
        return None
    try:
        return base64.b64decode(b"".join(body.split()), validate=True) if ended else b""
    except binascii.Error:
        return b""


def _pem(name: str, content: bytes) -> bytes:
    import base64

    text = base64.b64encode(content).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join((f"-----BEGIN {name}-----", *lines, f"-----END {name}-----", "")).encode()
