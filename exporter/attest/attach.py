"""Attestations into the index of an image: one more manifest for each platform. Pure.

The images themselves do not change, not by a byte: whoever pulls a platform gets what he would get without.
Source: BuildKit's docs/attestations/attestation-storage.md; OCI image-spec, manifest.md, for artifacts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from builder.oci.descriptor import Descriptor, PlatformObject
from builder.oci.digest import Digest
from builder.oci.manifest import encode_document
from builder.oci.mediatypes import IN_TOTO, OCI_MANIFEST
from builder.store.imagegraph import REFERENCE_TYPE, labels_for
from exporter.assemble import Document
from exporter.attest.forms import attestation_manifest
from exporter.attest.purl import image_purl
from exporter.attest.statement import Subject, encode_statement, envelopes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from builder.oci.reference import Reference
    from exporter.assemble import Assembled, AssembledPlatform
    from exporter.attest.statement import Attestation

ATTESTATION_MANIFEST: Final = "attestation-manifest"
"""Value of the annotation that tells an attestation manifest from an image."""

REFERENCE_DIGEST: Final = "vnd.docker.reference.digest"
PREDICATE_TYPE: Final = "in-toto.io/predicate-type"
SPDX: Final = "https://spdx.dev/Document"
CHECKED: Final = "dockyard/in-toto"
"""Label of a manifest's blob: the `envelopes` of the statements about it that in-toto has allowed."""

_NO_PLATFORM: Final = PlatformObject(architecture="unknown", os="unknown")
_CORE: Final = "sbom"


def _nothing(_manifest: Digest) -> Mapping[str, str]:
    """Nobody knows of any labels."""
    return {}


def attach(
    assembled: Assembled,
    attestations: Sequence[Sequence[Attestation]],
    *,
    names: Sequence[Reference],
    artifact: bool,
    labels_of: Callable[[Digest], Mapping[str, str]] = _nothing,
) -> Assembled:
    """`assembled`, which has an index, with `attestations`: for each of its platforms those about it.

    `names` are what default subjects are called. `artifact`: as OCI artifacts that name their subject; else in
    the form that registries of any age take, with an image config. A platform without attestations has no
    attestation manifest. `labels_of` gives the labels that the blob of a platform's manifest has already.
    Raises: ExportError for a statement that in-toto does not allow.
    """
    index = assembled.index
    if index is None:
        raise ValueError("attestations need an index to stand in")
    added: list[Document] = []
    entries: list[Descriptor] = []
    platforms: list[AssembledPlatform] = []
    checked: dict[Digest, str] = {}
    for platform, about in zip(assembled.platforms, attestations, strict=True):
        entry = None
        if about:
            manifest = platform.manifest.digest
            seen = str(envelopes(in_order(about), image_subjects(platform, names)))
            is_checked = labels_of(manifest).get(CHECKED) == seen
            entry = _entry(platform, about, names, added, artifact=artifact, is_checked=is_checked)
            entries.append(entry)
            checked[manifest] = seen
        platforms.append(replace(platform, attestation=entry))
    if not entries:
        return assembled
    index = replace(index, manifests=(*index.manifests, *entries))
    content = encode_document(index)
    root = replace(assembled.root, digest=Digest.of(content), size=len(content))
    images = tuple(
        _noted(each, checked.get(each.descriptor.digest))
        for each in assembled.documents
        if each.descriptor.digest != assembled.root.digest
    )
    unique = {document.descriptor.digest: document for document in added}
    last = Document(descriptor=root, content=content, labels=labels_for(index))
    return replace(
        assembled,
        root=root,
        index=index,
        documents=(*images, *unique.values(), last),
        platforms=tuple(platforms),
    )


def _noted(document: Document, checked: str | None) -> Document:
    return document if checked is None else replace(document, labels={**document.labels, CHECKED: checked})


def image_subjects(platform: AssembledPlatform, names: Sequence[Reference]) -> tuple[Subject, ...]:
    """The image of `platform` under each of `names`; no names, no subjects."""
    digest = {"sha256": platform.manifest.digest.hex}
    return tuple(Subject(image_purl(name, platform.platform), digest) for name in dict.fromkeys(names))


def in_order(attestations: Sequence[Attestation]) -> list[Attestation]:
    """The order of the layers: the SBOM of the image itself first, the others as they come."""
    return sorted(attestations, key=lambda each: not _is_core(each))


def _is_core(attestation: Attestation) -> bool:
    return attestation.predicate_type == SPDX and attestation.filename.partition(".")[0] == _CORE


def _entry(
    platform: AssembledPlatform,
    about: Sequence[Attestation],
    names: Sequence[Reference],
    documents: list[Document],
    *,
    artifact: bool,
    is_checked: bool,
) -> Descriptor:
    """The index entry of the attestations about `platform`; the documents that it needs go to `documents`."""
    subjects = image_subjects(platform, names)
    layers = tuple(_layer(attestation, subjects, is_checked=is_checked) for attestation in in_order(about))
    config, manifest = attestation_manifest(
        platform.manifest, [layer.descriptor for layer in layers], artifact=artifact
    )
    content = encode_document(manifest)
    entry = Descriptor(
        media_type=OCI_MANIFEST,
        digest=Digest.of(content),
        size=len(content),
        annotations={
            REFERENCE_DIGEST: str(platform.manifest.digest),
            REFERENCE_TYPE: ATTESTATION_MANIFEST,
        },
        platform=_NO_PLATFORM,
    )
    documents += (*layers, config, Document(descriptor=entry, content=content, labels=labels_for(manifest)))
    return entry


def _layer(attestation: Attestation, subjects: Sequence[Subject], *, is_checked: bool) -> Document:
    content = encode_statement(attestation, subjects, is_checked=is_checked)
    descriptor = Descriptor(
        media_type=IN_TOTO,
        digest=Digest.of(content),
        size=len(content),
        annotations={PREDICATE_TYPE: attestation.predicate_type},
    )
    return Document(descriptor=descriptor, content=content)
