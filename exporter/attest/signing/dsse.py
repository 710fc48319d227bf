"""DSSE envelopes: a payload, its type, and signatures over both.

What is signed is not the envelope but the pre-authentication encoding of type and payload, so the JSON around
them may be written in any way. Source: DSSE 1.0.2, envelope.md and protocol.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from exporter.attest.signing.errors import MalformedSignature
from exporter.attest.signing.text64 import decode64, encode64

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.attest.signing.keys import PublicKey, Signer

ENVELOPE: Final = "application/vnd.dsse.envelope.v1+json"
"""Media type of an envelope."""
_MAX_SIGNATURES: Final = 64


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """`payload` in bytes, and the signatures over its pre-authentication encoding."""

    payload_type: str
    payload: bytes
    signatures: tuple[bytes, ...]

    def signed_by(self, keys: Iterable[PublicKey]) -> PublicKey | None:
        """The first of `keys` that made one of the signatures; None when none did."""
        message = pre_authentication(self.payload_type, self.payload)
        return next(
            (key for key in keys for signature in self.signatures if key.verify(message, signature)), None
        )


class _Signature(msgspec.Struct, frozen=True):
    sig: str


class _Wire(msgspec.Struct, frozen=True, rename="camel"):
    payload: str
    payload_type: str
    signatures: tuple[_Signature, ...]


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign_envelope(payload_type: str, payload: bytes, signers: Iterable[Signer]) -> Envelope:
    """`payload` with a signature of each of `signers`. Raises: SigningError."""
    message = pre_authentication(payload_type, payload)
    return Envelope(
        payload_type=payload_type,
        payload=payload,
        signatures=tuple(signer.sign(message) for signer in signers),
    )


def encode_envelope(envelope: Envelope) -> bytes:
    """JSON. No key is named: such a name would be a hint that nobody has signed."""
    return msgspec.json.encode(
        _Wire(
            payload=encode64(envelope.payload),
            payload_type=envelope.payload_type,
            signatures=tuple(_Signature(encode64(each)) for each in envelope.signatures),
        )
    )


def decode_envelope(content: bytes | msgspec.Raw) -> Envelope:
    """The envelope in `content`; members that are not known are passed over. Raises: MalformedSignature."""
    try:
        wire = msgspec.json.decode(content, type=_Wire)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedSignature(f"no DSSE envelope: {error}") from None
    if len(wire.signatures) > _MAX_SIGNATURES:
        raise MalformedSignature(f"a DSSE envelope with more than {_MAX_SIGNATURES} signatures")
    return Envelope(
        payload_type=wire.payload_type,
        payload=decode64(wire.payload),
        signatures=tuple(decode64(each.sig) for each in wire.signatures),
    )
