"""Which signatures an image has, and which of them hold.

A signature that does not hold is a result with its reason, not an error: one that somebody else broke must not
hide the one that counts. Nothing but the bytes that were signed is believed, and of them nothing before a key
has accepted them.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, Literal, Protocol

import msgspec

from builder.oci.digest import CHUNK, Digest, InvalidDigest
from builder.oci.manifest import InvalidDocument, Manifest, decode_manifest
from builder.store.errors import DigestMismatch, StoreError
from exporter.attest.signing.bundle import Bundle, MessageSignature, decode_bundle, is_bundle
from exporter.attest.signing.carriers import BUNDLE_PREDICATE, SIGNATURE
from exporter.attest.signing.claims import IMAGE_SIGNED, Claims, read_claims
from exporter.attest.signing.dsse import ENVELOPE, Envelope, decode_envelope
from exporter.attest.signing.errors import MalformedSignature
from exporter.attest.signing.keys import PublicKey
from exporter.attest.signing.simplesigning import SIMPLE_SIGNING, decode_payload
from exporter.attest.signing.text64 import decode64

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from builder.oci.descriptor import Descriptor
    from builder.store.protocol import BlobReader

MAX_BLOB: Final = 512 << 20
"""Bytes of the largest envelope that is read; an SBOM of 300 MiB fits."""

_MAX_SIGNATURES: Final = 2000
"""Signatures of one subject that are looked at."""

_STATEMENT_TYPE: Final = "application/vnd.in-toto"
_NO_KEY: Final = "no given key made this signature"
_KEYLESS: Final = "its signer is vouched for by a certificate, not by a key, and that dockyard does not judge"

Kind = Literal["image", "attestation"]
"""Over the image itself, or over a statement about it."""


class SignaturePlace(Protocol):
    """Where signatures lie: a store, a registry, a layout."""

    @property
    def is_mixed(self) -> bool:
        """Whether carriers of other subjects may be among those of one: what is about others is no finding then."""
        ...

    @property
    def reader(self) -> BlobReader:
        """Reads the manifests that were found, and what they point at."""
        ...

    def carriers(self, subject: Digest) -> Sequence[Descriptor]:
        """The manifests that carry signatures over `subject`, oldest form first; none if there are none.

        Raises: DockyardError when the place cannot be asked.
        """
        ...


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """A signature that was found at `subject`.

    `carrier` is the digest of the manifest that has it, `blob` that of the envelope, bundle or payload. `kind`:
    over the image itself, or over a statement. `key` is the one that made it, None if `problem` says why it does
    not count. `claims` are those of a statement that was signed, `payload` is it, byte for byte.
    """

    subject: Digest
    carrier: Digest
    blob: Digest
    form: Literal["tag", "bundle"]
    kind: Kind
    key: PublicKey | None = None
    claims: Claims | None = None
    payload: bytes = b""
    problem: str = ""

    @property
    def holds(self) -> bool:
        """Whether a key accepted it, and it is over `subject`."""
        return self.key is not None


def check_signatures(
    place: SignaturePlace, subject: Descriptor, keys: Sequence[PublicKey]
) -> tuple[Signature, ...]:
    """Every signature over what `subject` points at, checked against `keys`.

    Raises: DockyardError only when `place` cannot be asked; what is wrong with what it has is in the results.
    """
    carried = (
        signature
        for carrier in place.carriers(subject.digest)
        for signature in _carried(place, subject, carrier, keys)
    )
    # A place that cannot tell carriers apart by their subject may come to one envelope by several ways.
    found: dict[tuple[Digest, str], Signature] = {}
    for signature in islice(carried, _MAX_SIGNATURES):
        found.setdefault(
            (signature.blob, signature.key.id if signature.key else signature.problem), signature
        )
    return tuple(found.values())


def claimed_subjects(media_type: str, content: bytes) -> tuple[Digest, ...]:
    """What a payload, envelope or bundle says that it is about, before any key has been asked; maybe nothing."""
    try:
        if media_type == SIMPLE_SIGNING:
            return (decode_payload(content).digest,)
        if media_type == ENVELOPE:
            return read_claims(decode_envelope(content).payload).subjects
        signed = decode_bundle(content).content if is_bundle(media_type) else None
        if isinstance(signed, MessageSignature):
            return (Digest.parse(f"sha256:{signed.digest.hex()}"),)
        return () if signed is None else read_claims(signed.payload).subjects
    except (MalformedSignature, InvalidDigest):
        return ()


def _carried(
    place: SignaturePlace, subject: Descriptor, carrier: Descriptor, keys: Sequence[PublicKey]
) -> Iterator[Signature]:
    """The signatures of one manifest."""
    try:
        manifest = decode_manifest(place.reader.read(carrier), carrier.media_type)
    except (StoreError, InvalidDocument) as error:
        problem = f"its manifest cannot be read: {error.message}"
        yield _result(subject, carrier, carrier, _Verdict(kind="image", problem=problem))
        return
    for layer in manifest.layers:
        if layer.media_type in (ENVELOPE, SIMPLE_SIGNING) or is_bundle(layer.media_type):
            verdict = _read_and_judge(place, subject, manifest, layer, keys)
            if verdict is not None:
                yield _result(subject, carrier, layer, verdict)


class _Verdict(msgspec.Struct, frozen=True, kw_only=True):
    kind: Kind
    key: PublicKey | None = None
    claims: Claims | None = None
    payload: bytes = b""
    problem: str = ""


def _result(subject: Descriptor, carrier: Descriptor, blob: Descriptor, verdict: _Verdict) -> Signature:
    return Signature(
        subject=subject.digest,
        carrier=carrier.digest,
        blob=blob.digest,
        form="bundle" if is_bundle(blob.media_type) else "tag",
        kind=verdict.kind,
        key=verdict.key,
        claims=verdict.claims,
        payload=verdict.payload,
        problem=verdict.problem,
    )


def _read_and_judge(
    place: SignaturePlace,
    subject: Descriptor,
    manifest: Manifest,
    layer: Descriptor,
    keys: Sequence[PublicKey],
) -> _Verdict | None:
    """None: it is about another subject, and that is as it should be."""
    kind = _supposed_kind(manifest, layer)
    try:
        content = read_blob(place.reader, layer)
        if place.is_mixed and subject.digest not in claimed_subjects(layer.media_type, content):
            return None
        if layer.media_type == SIMPLE_SIGNING:
            return _judge_payload(subject, layer, content, keys)
        if layer.media_type == ENVELOPE:
            return _judge_envelope(subject, decode_envelope(content), keys, kind)
        return _judge_bundle(place, subject, manifest, decode_bundle(content), keys, kind)
    except (StoreError, InvalidDocument, MalformedSignature) as error:
        return _Verdict(kind=kind, problem=error.message)


def read_blob(reader: BlobReader, blob: Descriptor) -> bytes:
    """All bytes of an envelope, verified. Raises: BlobNotFound, DigestMismatch, MalformedSignature."""
    if blob.size > MAX_BLOB:
        raise MalformedSignature(f"{blob.digest}: {blob.size} bytes are more than {MAX_BLOB}")
    with reader.open(blob.digest) as stream:
        chunks, left = [], blob.size + 1
        while left and (chunk := stream.read(min(left, CHUNK))):
            chunks.append(chunk)
            left -= len(chunk)
    content = b"".join(chunks)
    if len(content) != blob.size or Digest.of(content) != blob.digest:
        raise DigestMismatch(f"the bytes of blob {blob.digest} are not those of its digest")
    return content


def _judge_payload(
    subject: Descriptor, layer: Descriptor, content: bytes, keys: Sequence[PublicKey]
) -> _Verdict:
    """An image signature of the tag form: the signature stands beside the payload."""
    signature = decode64(layer.annotations.get(SIGNATURE, ""))
    key = next((key for key in keys if key.verify(content, signature)), None)
    if key is None:
        return _Verdict(kind="image", problem=_NO_KEY)
    digest = decode_payload(content).digest
    if digest != subject.digest:
        return _Verdict(kind="image", problem=f"it is over another image: {digest}")
    return _Verdict(kind="image", key=key, payload=content)


def _judge_envelope(
    subject: Descriptor, envelope: Envelope, keys: Sequence[PublicKey], kind: Kind
) -> _Verdict:
    key = envelope.signed_by(keys)
    if key is None:
        return _Verdict(kind=kind, problem=_NO_KEY)
    if not envelope.payload_type.startswith(_STATEMENT_TYPE):
        return _Verdict(kind=kind, problem=f"it is over no statement: {envelope.payload_type[:80]!r}")
    claims = read_claims(envelope.payload)
    if subject.digest not in claims.subjects:
        others = ", ".join(claims.subjects[:3]) or "nothing"
        return _Verdict(kind=kind, problem=f"its statement is about another image: {others}")
    if claims.predicate_type == IMAGE_SIGNED:
        return _Verdict(kind="image", key=key, payload=envelope.payload)
    return _Verdict(kind="attestation", key=key, claims=claims, payload=envelope.payload)


def _judge_bundle(
    place: SignaturePlace,
    subject: Descriptor,
    manifest: Manifest,
    bundle: Bundle,
    keys: Sequence[PublicKey],
    kind: Kind,
) -> _Verdict:
    if manifest.subject is None or manifest.subject.digest != subject.digest:
        return _Verdict(kind=kind, problem="its manifest names another subject")
    if isinstance(bundle.content, Envelope):
        verdict = _judge_envelope(subject, bundle.content, keys, kind)
    else:
        verdict = _judge_message(place, subject, bundle.content, keys)
    if verdict.key is None and bundle.keyless and verdict.problem == _NO_KEY:
        return msgspec.structs.replace(verdict, problem=_KEYLESS)
    return verdict


def _judge_message(
    place: SignaturePlace, subject: Descriptor, message: MessageSignature, keys: Sequence[PublicKey]
) -> _Verdict:
    """A signature over the bytes of the manifest itself."""
    if message.digest.hex() != subject.digest.hex:
        return _Verdict(kind="image", problem=f"it is over another image: sha256:{message.digest.hex()[:64]}")
    content = place.reader.read(subject)
    key = next((key for key in keys if key.verify(content, message.signature)), None)
    return _Verdict(kind="image", key=key, problem="" if key else _NO_KEY)


def _supposed_kind(manifest: Manifest, layer: Descriptor) -> Kind:
    """What a signature says it is, for reports of those that no key accepted."""
    if layer.media_type == SIMPLE_SIGNING:
        return "image"
    predicate_type = manifest.annotations.get(BUNDLE_PREDICATE, "")
    return "image" if predicate_type == IMAGE_SIGNED else "attestation"
