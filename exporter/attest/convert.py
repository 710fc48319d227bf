"""Attestation manifests from one of their forms to the other, after the fact. Pure, but for reading documents.

Images and statements keep their bytes. The index is another one, because it names other manifests; of its text
nothing else changes, members that dockyard does not know among it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest, encode_json
from builder.oci.manifest import decode_index, encode_document, escape_html, is_index
from builder.oci.mediatypes import OCI_MANIFEST
from builder.store.imagegraph import is_attestation, labels_for, read_manifest
from exporter.assemble import Document
from exporter.attest.attach import REFERENCE_DIGEST
from exporter.attest.forms import attestation_manifest, is_artifact
from exporter.errors import ExportError

if TYPE_CHECKING:
    from builder.oci.manifest import Index
    from builder.store.protocol import DocumentReader


class Conversion(msgspec.Struct, frozen=True, kw_only=True):
    """The new `root`, the images below it, and the documents to store; none when all had the form already."""

    root: Descriptor
    images: tuple[Descriptor, ...]
    documents: tuple[Document, ...]


def convert_attestations(reader: DocumentReader, root: Descriptor, *, artifact: bool) -> Conversion:
    """The image below `root` with attestation manifests that are artifacts, or that are of the older form.

    Raises: ExportError for an image without attestations, or with one about an image that it does not have;
    StoreError, InvalidDocument.
    """
    content = reader.read(root) if is_index(root.media_type) else b""
    index = decode_index(content, root.media_type) if content else None
    if index is None or not any(map(is_attestation, index.manifests)):
        raise ExportError(f"{root.digest} has no attestations to convert")
    images = tuple(each for each in index.manifests if not is_attestation(each))
    if any(is_index(each.media_type) for each in images):
        raise ExportError(f"{root.digest} is an index of indexes, whose attestations cannot be converted")
    documents: dict[Digest, Document] = {}
    written = msgspec.json.decode(content)
    for entry, member in zip(index.manifests, written["manifests"], strict=True):
        if is_attestation(entry):
            _convert(reader, entry, member, images, documents, artifact=artifact)
    if not documents:
        return Conversion(root=root, images=images, documents=())
    last = _index(written, root)
    return Conversion(root=last.descriptor, images=images, documents=(*documents.values(), last))


def _convert(
    reader: DocumentReader,
    entry: Descriptor,
    member: dict[str, Any],
    images: tuple[Descriptor, ...],
    documents: dict[Digest, Document],
    *,
    artifact: bool,
) -> None:
    """Points `member`, an entry of the index, at the other form of its manifest, which goes to `documents`."""
    manifest = read_manifest(reader, entry)
    if is_artifact(manifest) == artifact:
        return
    about = entry.annotations.get(REFERENCE_DIGEST, "")
    image = next((each for each in images if each.digest == about), None)
    if image is None:
        raise ExportError(
            f"{entry.digest} is about {about[:80] or 'nothing'}, which is no image of the index"
        )
    config, converted = attestation_manifest(
        image, manifest.layers, artifact=artifact, annotations=manifest.annotations
    )
    content = encode_document(converted)
    described = Descriptor(media_type=OCI_MANIFEST, digest=Digest.of(content), size=len(content))
    member |= {"mediaType": OCI_MANIFEST, "digest": described.digest, "size": described.size}
    # They would say something about the manifest that was there before.
    for name in ("artifactType", "data", "urls"):
        member.pop(name, None)
    documents[config.descriptor.digest] = config
    documents[described.digest] = Document(
        descriptor=described, content=content, labels=labels_for(converted)
    )


def _index(written: dict[str, Any], root: Descriptor) -> Document:
    content = msgspec.json.format(escape_html(encode_json(written)), indent=2)
    index: Index = decode_index(content, root.media_type)
    described = replace(root, digest=Digest.of(content), size=len(content), data="")
    return Document(descriptor=described, content=content, labels=labels_for(index))
