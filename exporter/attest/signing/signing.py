"""Signing an image: what is signed, and the carriers that come of it. Reads, and writes nothing.

Signed is the root, and, of an index, each image in it: whoever deploys one platform by its digest can verify that
alone. Each statement in the index is signed once, about the image that it describes and about the root, and is
found at both: `cosign verify-attestation` asks at the digest that it was given, and wants it among the subjects.
Attestation manifests are not signed themselves; the signature over the index covers their digests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.digest import Digest
from builder.oci.manifest import Index, decode_manifest
from builder.oci.mediatypes import INDEXES, MANIFESTS
from builder.store.imagegraph import REFERENCE_TYPE, is_attestation, read_index
from exporter.attest.attach import ATTESTATION_MANIFEST, REFERENCE_DIGEST
from exporter.attest.signing.bundle import encode_bundle
from exporter.attest.signing.carriers import (
    Carrier,
    attestation_layer,
    bundle_carrier,
    signature_layer,
    tag_carrier,
)
from exporter.attest.signing.checking import read_blob
from exporter.attest.signing.claims import IMAGE_SIGNED, image_statement, read_claims, statement_about
from exporter.attest.signing.dsse import encode_envelope, sign_envelope
from exporter.attest.signing.errors import SigningError
from exporter.attest.signing.simplesigning import encode_payload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from builder.oci.descriptor import Descriptor
    from builder.store.protocol import BlobReader
    from exporter.assemble import Document
    from exporter.attest.signing.options import SigningOptions


_STATEMENT: Final = "application/vnd.in-toto+json"


class _Signed(msgspec.Struct, frozen=True):
    """A statement about `subjects`: one envelope and one bundle for each signer."""

    predicate_type: str
    subjects: tuple[Digest, ...]
    envelopes: tuple[bytes, ...]
    bundles: tuple[bytes, ...]


def sign_image(
    reader: BlobReader,
    root: Descriptor,
    options: SigningOptions,
    *,
    repository: str,
) -> tuple[Carrier, ...]:
    """The carriers of signatures over the image below `root` and over its statements.

    `repository` is what the signer calls the image.
    Raises: SigningError; StoreError, InvalidDocument for an image that cannot be read.
    """
    if root.media_type not in INDEXES | MANIFESTS:
        raise SigningError(f"{root.digest} is no image: its media type is {root.media_type!r}")
    index = read_index(reader, root) if root.media_type in INDEXES else None
    subjects = (root, *_images(index)) if index is not None and options.recursive else (root,)
    statements = [] if index is None else list(_signed_statements(reader, root, index, options))
    return tuple(
        carrier for subject in subjects for carrier in _carriers(subject, statements, options, repository)
    )


def signed_subjects(reader: BlobReader, root: Descriptor) -> tuple[Descriptor, ...]:
    """Whatever may have been signed of an image: its root and the images of its index.

    Raises: StoreError, InvalidDocument.
    """
    if root.media_type not in INDEXES:
        return (root,)
    return (root, *_images(read_index(reader, root)))


def _images(index: Index) -> tuple[Descriptor, ...]:
    images = (each for each in index.manifests if each.media_type in MANIFESTS and not is_attestation(each))
    return tuple({each.digest: each for each in images}.values())


def _signed_statements(
    reader: BlobReader, root: Descriptor, index: Index, options: SigningOptions
) -> Iterator[_Signed]:
    images = {each.digest: each for each in _images(index)}
    for entry in index.manifests:
        about = images.get(Digest(entry.annotations.get(REFERENCE_DIGEST, "")))
        if entry.annotations.get(REFERENCE_TYPE) != ATTESTATION_MANIFEST or about is None:
            continue
        for layer in decode_manifest(reader.read(entry), entry.media_type).layers:
            if layer.media_type == _STATEMENT:
                statement = statement_about(read_blob(reader, layer), (about.digest, root.digest))
                yield _sign(
                    statement, read_claims(statement).predicate_type, (about.digest, root.digest), options
                )


def _sign(
    statement: bytes, predicate_type: str, subjects: tuple[Digest, ...], options: SigningOptions
) -> _Signed:
    envelopes = [sign_envelope(_STATEMENT, statement, [signer]) for signer in options.signers]
    signed = list(zip(envelopes, options.signers, strict=True))
    return _Signed(
        predicate_type,
        subjects,
        envelopes=tuple(map(encode_envelope, envelopes)) if "tag" in options.forms else (),
        bundles=tuple(encode_bundle(envelope, signer.public) for envelope, signer in signed)
        if "bundle" in options.forms
        else (),
    )


def _carriers(
    subject: Descriptor,
    statements: Sequence[_Signed],
    options: SigningOptions,
    repository: str,
) -> Iterator[Carrier]:
    about = [each for each in statements if subject.digest in each.subjects]
    if "tag" in options.forms:
        payload = encode_payload(subject.digest, repository=repository)
        signatures = [signature_layer(payload, signer.sign(payload)) for signer in options.signers]
        yield tag_carrier("signatures", subject, signatures)
        if layers := [*_attestation_layers(about)]:
            yield tag_carrier("attestations", subject, layers)
    if "bundle" in options.forms:
        image = _sign(image_statement(subject.digest), IMAGE_SIGNED, (subject.digest,), options)
        for signed in (image, *about):
            for bundle in signed.bundles:
                yield bundle_carrier(subject, bundle, signed.predicate_type)


def _attestation_layers(statements: Sequence[_Signed]) -> Iterator[Document]:
    for signed in statements:
        for envelope in signed.envelopes:
            yield attestation_layer(envelope, signed.predicate_type)
