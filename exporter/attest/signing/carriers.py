"""Manifests that carry signatures: made in the two forms that cosign looks for. Pure.

In the *tag form* one manifest holds all image signatures of a digest, another all its attestations, a layer each;
their names are tags made of the digest. In the *bundle form* each signature is a manifest of its own that names
its subject, and is found as a referrer. Carriers have no times: the same signature makes the same carrier.
Source: cosign, specs/SIGNATURE_SPEC.md and specs/BUNDLE_SPEC.md, and what cosign 2.5 and 3.1 write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest, encode_json
from builder.oci.manifest import Manifest
from builder.oci.mediatypes import OCI_CONFIG, OCI_MANIFEST
from builder.store.imagegraph import labels_for
from exporter.assemble import Document
from exporter.attest.signing.bundle import BUNDLE
from exporter.attest.signing.dsse import ENVELOPE
from exporter.attest.signing.simplesigning import SIMPLE_SIGNING
from exporter.attest.signing.text64 import encode64

if TYPE_CHECKING:
    from collections.abc import Sequence

TagRole = Literal["signatures", "attestations"]
"""What a carrier of the tag form holds: all image signatures, or all attestations."""

Role = Literal[TagRole, "bundle"]
"""What a carrier holds: one bundle in the other form."""

SIGNATURE: Final = "dev.cosignproject.cosign/signature"
"""Annotation of a layer of the tag form: the signature over the layer's blob, in base64."""

PREDICATE_TYPE: Final = "predicateType"
_SUFFIXES: Final[dict[str, str]] = {"signatures": "sig", "attestations": "att"}
_EMPTY_TYPE: Final = "application/vnd.oci.empty.v1+json"
_BUNDLE_CONTENT: Final = "dev.sigstore.bundle.content"
BUNDLE_PREDICATE: Final = "dev.sigstore.bundle.predicateType"


class Carrier(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest with signatures over what `subject` points at; `documents` are what it needs, itself the last."""

    role: Role
    subject: Descriptor
    documents: tuple[Document, ...]

    @property
    def descriptor(self) -> Descriptor:
        """Points at the manifest."""
        return self.documents[-1].descriptor

    @property
    def layers(self) -> tuple[Document, ...]:
        """Payloads, envelopes or bundles; behind them stand config and manifest."""
        return self.documents[:-2]


def carrier_tag(role: TagRole, subject: Digest) -> str:
    """The tag under which a registry keeps such a carrier."""
    return f"sha256-{subject.hex}.{_SUFFIXES[role]}"


def signature_layer(payload: bytes, signature: bytes) -> Document:
    """The layer of an image signature in the tag form."""
    return _blob(payload, SIMPLE_SIGNING, {SIGNATURE: encode64(signature)})


def attestation_layer(envelope: bytes, predicate_type: str) -> Document:
    """The layer of an attestation in the tag form."""
    return _blob(envelope, ENVELOPE, {SIGNATURE: "", PREDICATE_TYPE: predicate_type})


def tag_carrier(
    role: TagRole,
    subject: Descriptor,
    layers: Sequence[Document],
    *,
    before: Sequence[Descriptor] = (),
) -> Carrier:
    """The carrier of `layers`; `before` are layers that one had already, which stay in front."""
    described = merged_layers(before, [layer.descriptor for layer in layers])
    config = _blob(_config(described), OCI_CONFIG, {})
    manifest = Manifest(schema_version=2, media_type=OCI_MANIFEST, config=config.descriptor, layers=described)
    return Carrier(role=role, subject=subject, documents=(*layers, config, _document(manifest)))


def merged_layers(before: Sequence[Descriptor], added: Sequence[Descriptor]) -> tuple[Descriptor, ...]:
    """`before`, and behind it those of `added` that are not among it, each once."""
    merged = list(before)
    for layer in added:
        if not any(_same(layer, other) for other in merged):
            merged.append(layer)
    return tuple(merged)


def bundle_carrier(subject: Descriptor, bundle: bytes, predicate_type: str) -> Carrier:
    """The carrier of one bundle, a referrer of `subject`."""
    config = _blob(b"{}", _EMPTY_TYPE, {})
    layer = _blob(bundle, BUNDLE, {})
    manifest = Manifest(
        schema_version=2,
        media_type=OCI_MANIFEST,
        artifact_type=BUNDLE,
        config=config.descriptor,
        layers=(layer.descriptor,),
        subject=Descriptor(media_type=subject.media_type, digest=subject.digest, size=subject.size),
        annotations={_BUNDLE_CONTENT: "dsse-envelope", BUNDLE_PREDICATE: predicate_type},
    )
    return Carrier(role="bundle", subject=subject, documents=(layer, config, _document(manifest)))


def _config(layers: Sequence[Descriptor]) -> bytes:
    """The config that makes an image of the carrier, for registries that take nothing else."""
    never = "0001-01-01T00:00:00Z"
    return encode_json(
        {
            "architecture": "",
            "created": never,
            "history": [{"created": never} for _ in layers],
            "os": "",
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
            "config": {},
        }
    )


def _same(one: Descriptor, other: Descriptor) -> bool:
    """Whether two layers are the same signature: keys sign one payload each, so the digest is not enough."""
    return one.digest == other.digest and one.annotations.get(SIGNATURE) == other.annotations.get(SIGNATURE)


def _blob(content: bytes, media_type: str, annotations: dict[str, str]) -> Document:
    descriptor = Descriptor(
        media_type=media_type, digest=Digest.of(content), size=len(content), annotations=annotations
    )
    return Document(descriptor=descriptor, content=content)


def _document(manifest: Manifest) -> Document:
    content = encode_json(manifest)
    descriptor = Descriptor(
        media_type=OCI_MANIFEST,
        digest=Digest.of(content),
        size=len(content),
        artifact_type=manifest.artifact_type,
        annotations=manifest.annotations,
    )
    return Document(descriptor=descriptor, content=content, labels=labels_for(manifest))
