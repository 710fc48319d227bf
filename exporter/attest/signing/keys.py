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
from exporter.attest.signing.text64 import encode64

if TYPE_CHECKING:
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
_MIN_RSA: Final = 2048


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
        self.public = public_key_of(key.public_key(), origin=origin)

    def sign(self, message: bytes) -> bytes:
        """The signature over `message`: DER for ECDSA, 64 bytes for Ed25519."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            # Deterministic (RFC 6979): whoever signs the same again changes nothing.
            return self._key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        return self._key.sign(message)

    @property
    def der(self) -> bytes:
        """PKCS #8: the secret itself, for whoever puts it behind a passphrase."""
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        return self._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    def __repr__(self) -> str:
        return f"PrivateKey(of {self.public!r})"


def public_key_of(key: object, *, origin: str) -> PublicKey:
    """The key that the library has read. Raises: InvalidKey for a kind that dockyard does not verify."""
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
