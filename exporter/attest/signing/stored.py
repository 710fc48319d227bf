"""Signatures in a store (`checking.SignaturePlace`): kept, found, and written into layouts.

They belong to the root of an image, not to a name: labels of its blob point at the carriers of all that was signed
of the image, which also keeps these from the collector as long as the image is kept, under whatever name, and takes
them away with it. They do not belong to the manifest of a platform, although they may be about it: another image
may have the same, and must not carry signatures into the world that were made for this one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest, InvalidDigest
from builder.oci.mediatypes import OCI_MANIFEST
from builder.store.imagegraph import GC_CONTENT, labels_for, read_manifest
from exporter.assemble import Document
from exporter.attest.signing.bundle import BUNDLE
from exporter.attest.signing.carriers import Carrier, tag_carrier
from exporter.attest.signing.checking import read_blob

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.store.protocol import BlobReader, ContentReader, ContentWriter
    from exporter.attest.signing.carriers import Role, TagRole

_LABEL: Final = f"{GC_CONTENT}.signing."
_ROLES: Final[tuple[Role, ...]] = ("signatures", "attestations", "bundle")


class StorePlace:
    """The signatures in a store over the image below `root`; `content` is the store's."""

    is_mixed: Final = False

    def __init__(self, content: ContentReader, root: Digest) -> None:
        self.reader = content
        self._root = root

    def carriers(self, subject: Digest) -> tuple[Descriptor, ...]:
        """Those that the labels of the root name and that are here."""
        return tuple(descriptor for _, descriptor in self.labelled(subject))

    def tagged(self, role: TagRole, subject: Digest) -> Descriptor | None:
        """The carrier of the tag form; None when there is none."""
        return next((carrier for found, carrier in self.labelled(subject) if found == role), None)

    def labelled(self, subject: Digest) -> Iterator[tuple[Role, Descriptor]]:
        """The carriers of signatures over `subject`, with their roles; tag forms first."""
        blob = self.reader.find(self._root)
        labels = blob.labels if blob is not None else {}
        for role in _ROLES:
            wanted = _label(role, subject)
            for label in sorted(each for each in labels if f"{each}.".startswith(f"{wanted}.")):
                carrier = self._carrier(labels[label], role)
                if carrier is not None:
                    yield role, carrier

    def _carrier(self, digest: str, role: Role) -> Descriptor | None:
        try:
            blob = self.reader.find(Digest.parse(digest))
        except InvalidDigest:
            return None
        if blob is None:
            return None
        artifact_type = BUNDLE if role == "bundle" else ""
        return Descriptor(
            media_type=OCI_MANIFEST, digest=blob.digest, size=blob.size, artifact_type=artifact_type
        )


def has_signatures(content: ContentReader, root: Digest) -> bool:
    """Whether the store has any signature over the image below `root`."""
    blob = content.find(root)
    return blob is not None and any(label.startswith(_LABEL) for label in blob.labels)


def keep_carrier(content: ContentWriter, root: Digest, carrier: Carrier) -> None:
    """Stores `carrier` for the image below `root`; one of the tag form is added to the one that is there.

    Raises: BlobNotFound, when the root is not in the store; StoreError.
    """
    if carrier.role != "bundle":
        old = StorePlace(content, root).tagged(carrier.role, carrier.subject.digest)
        before = () if old is None else read_manifest(content, old).layers
        carrier = tag_carrier(carrier.role, carrier.subject, carrier.layers, before=before)
    with content.batch() as batch:
        for document in carrier.documents:
            batch.put(document.content, labels=document.labels)
    digest = carrier.descriptor.digest
    label = _label(carrier.role, carrier.subject.digest)
    content.update_labels(root, {f"{label}.{digest.hex}" if carrier.role == "bundle" else label: str(digest)})


def _label(role: Role, subject: Digest) -> str:
    """The label of a carrier; those of bundles go on with the digest of the carrier."""
    return f"{_LABEL}{role}.{subject.hex}"


def stored_carriers(content: ContentReader, root: Digest, subject: Descriptor) -> Iterator[Carrier]:
    """The carriers of signatures over `subject`, a part of the image below `root`, with all that they need.

    Raises: StoreError, InvalidDocument.
    """
    for role, carrier in StorePlace(content, root).labelled(subject.digest):
        yield read_carrier(content, role, subject, carrier)


def read_carrier(reader: BlobReader, role: Role, subject: Descriptor, carrier: Descriptor) -> Carrier:
    """A carrier of signatures over `subject`, with all that it needs.

    Raises: StoreError, InvalidDocument, MalformedSignature for blobs that are too large.
    """
    manifest = read_manifest(reader, carrier)
    described = replace(carrier, artifact_type=manifest.artifact_type, annotations=manifest.annotations)
    blobs = [Document(descriptor=each, content=read_blob(reader, each)) for each in manifest.layers]
    blobs.append(Document(descriptor=manifest.config, content=reader.read(manifest.config)))
    last = Document(descriptor=described, content=reader.read(carrier), labels=labels_for(manifest))
    return Carrier(role=role, subject=subject, documents=(*blobs, last))
