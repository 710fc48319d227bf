"""Sigstore bundles: a signature with what is needed to verify it, in one JSON document.

dockyard writes bundles of version 0.3 with a DSSE envelope and the hint of a key. It reads 0.1 to 0.3, and of
what they may hold besides it knows that it is there: certificates and transparency logs are not judged here.
Source: sigstore's protobuf-specs, sigstore_bundle.proto, in its JSON form.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from exporter.attest.signing.dsse import Envelope, decode_envelope, encode_envelope
from exporter.attest.signing.errors import MalformedSignature
from exporter.attest.signing.text64 import decode64

if TYPE_CHECKING:
    from exporter.attest.signing.keys import PublicKey

BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
"""Media type of the bundles that are written."""
_MEDIA_TYPES: Final = re.compile(
    r"application/vnd\.dev\.sigstore\.bundle(?:\+json;version=0\.[123]|\.v0\.3\+json)", re.ASCII
)


class MessageSignature(msgspec.Struct, frozen=True, kw_only=True):
    """A signature over bytes that are elsewhere: those whose SHA-256 is `digest`."""

    digest: bytes
    signature: bytes


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """`hint` names the key, if one signed; `keyless`: a certificate vouches for the signer instead."""

    content: Envelope | MessageSignature
    hint: str = ""
    keyless: bool = False


class _Key(msgspec.Struct, frozen=True):
    hint: str = ""


class _Material(msgspec.Struct, frozen=True, rename="camel"):
    public_key: _Key | None = None
    certificate: msgspec.Raw = msgspec.Raw()
    x509_chain: msgspec.Raw = msgspec.field(name="x509CertificateChain", default=msgspec.Raw())


class _Hashed(msgspec.Struct, frozen=True):
    algorithm: str
    digest: str


class _Message(msgspec.Struct, frozen=True, rename="camel"):
    message_digest: _Hashed
    signature: str


class _Wire(msgspec.Struct, frozen=True, rename="camel"):
    media_type: str
    verification_material: _Material
    dsse_envelope: msgspec.Raw = msgspec.Raw()
    message_signature: _Message | None = None


def encode_bundle(envelope: Envelope, key: PublicKey) -> bytes:
    """A bundle with `envelope`, which has one signature, made with `key`."""
    return msgspec.json.encode(
        {
            "mediaType": BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": key.id}},
            "dsseEnvelope": msgspec.Raw(encode_envelope(envelope)),
        }
    )


def decode_bundle(content: bytes) -> Bundle:
    """The bundle in `content`. Raises: MalformedSignature."""
    try:
        wire = msgspec.json.decode(content, type=_Wire)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedSignature(f"no sigstore bundle: {error}") from None
    if not _MEDIA_TYPES.fullmatch(wire.media_type):
        raise MalformedSignature(f"a sigstore bundle of the unknown type {wire.media_type[:80]!r}")
    material = wire.verification_material
    return Bundle(
        content=_content(wire),
        hint=material.public_key.hint if material.public_key else "",
        keyless=bool(bytes(material.certificate) or bytes(material.x509_chain)),
    )


def is_bundle(media_type: str) -> bool:
    """Whether blobs of this type are bundles of a version that is read."""
    return bool(_MEDIA_TYPES.fullmatch(media_type))


def _content(wire: _Wire) -> Envelope | MessageSignature:
    if bytes(wire.dsse_envelope):
        envelope = decode_envelope(wire.dsse_envelope)
        if len(envelope.signatures) != 1:
            raise MalformedSignature("the envelope of a sigstore bundle must have exactly one signature")
        return envelope
    if wire.message_signature is None:
        raise MalformedSignature("a sigstore bundle without a signature")
    message = wire.message_signature
    if message.message_digest.algorithm != "SHA2_256":
        raise MalformedSignature(
            f"a sigstore bundle over a digest of kind {message.message_digest.algorithm[:20]!r}"
        )
    return MessageSignature(
        digest=decode64(message.message_digest.digest), signature=decode64(message.signature)
    )
