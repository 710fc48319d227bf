"""Where signatures lie in a store, at a registry and in a layout (`checking.SignaturePlace`).

In a store they belong to the blob that they are about, not to a name: labels of the subject's blob point at their
carriers, which also keeps them from the collector as long as the subject is kept, under whatever name, and takes
them away with it. `dockyard images` thus lists images alone. A registry has cosign's tags and referrers, a
layout the entries that cosign's own layouts have, and referrers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest, InvalidDigest
from builder.oci.manifest import InvalidDocument, decode_manifest
from builder.oci.mediatypes import OCI_MANIFEST
from builder.store.errors import StoreError
from builder.store.imagegraph import GC_CONTENT
from exporter.attest.signing.bundle import BUNDLE, is_bundle
from exporter.attest.signing.carriers import carrier_tag

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from builder.oci.reference import Reference
    from builder.registry.reader import RegistryReader
    from builder.store.layout.reader import LayoutReader
    from builder.store.protocol import ContentReader, ContentWriter
    from exporter.attest.signing.carriers import Carrier

_LABEL: Final = f"{GC_CONTENT}.signing."
_KIND: Final = "kind"
SIGNATURES_ENTRY: Final = "dev.cosignproject.cosign/sigs"
ATTESTATIONS_ENTRY: Final = "dev.cosignproject.cosign/atts"
"""What cosign's layouts call their entries, under the annotation `kind`."""

_TAG_ROLES: Final[tuple[Literal["signatures", "attestations"], ...]] = ("signatures", "attestations")


class StorePlace:
    """The signatures in a store, of which `content` is a namespace's."""

    def __init__(self, content: ContentReader) -> None:
        self.reader = content

    def carriers(self, subject: Digest) -> tuple[Descriptor, ...]:
        """Those that the labels of `subject` name and that are here."""
        return tuple(descriptor for _, descriptor in self.labelled(subject))

    def labelled(self, subject: Digest) -> Iterator[tuple[str, Descriptor]]:
        """The carriers of `subject`, with their roles; tag forms first."""
        blob = self.reader.find(subject)
        labels = blob.labels if blob is not None else {}
        for label in sorted(labels, key=lambda each: (f"{_LABEL}bundle." in each, each)):
            if not label.startswith(_LABEL):
                continue
            try:
                carrier = self.reader.find(Digest.parse(labels[label]))
            except InvalidDigest:
                continue
            if carrier is not None:
                role = label.removeprefix(_LABEL).partition(".")[0]
                yield role, _described(carrier.digest, carrier.size, role)


def keep_carrier(content: ContentWriter, carrier: Carrier) -> None:
    """Stores `carrier` and hangs it on its subject, in place of the one that has its role.

    Raises: BlobNotFound, when the subject is not in the store; StoreError.
    """
    with content.batch() as batch:
        for document in carrier.documents:
            batch.put(document.content, labels=document.labels)
    digest = carrier.descriptor.digest
    role = f"bundle.{digest.hex}" if carrier.role == "bundle" else carrier.role
    content.update_labels(carrier.subject.digest, {_LABEL + role: str(digest)})


class RegistryPlace:
    """The signatures in the repository that `reader` reads; `name` is any reference into it."""

    def __init__(self, reader: RegistryReader, name: Reference) -> None:
        self.reader = reader
        self._name = name

    def carriers(self, subject: Digest) -> tuple[Descriptor, ...]:
        """What the tags name, and bundles among the referrers. Raises: RegistryError."""
        from builder.registry.referrers import list_referrers

        tagged = (self.tagged(role, subject) for role in _TAG_ROLES)
        referrers = list_referrers(self.reader.repository, subject)
        # Some registries and clients give the type of the config in place of the artifact's, or none.
        bundles = (each for each in referrers if each.media_type == OCI_MANIFEST)
        return (*(each for each in tagged if each is not None), *bundles)

    def tagged(self, role: Literal["signatures", "attestations"], subject: Digest) -> Descriptor | None:
        """The carrier of the tag form; None when there is none. Raises: RegistryError."""
        from msgspec.structs import replace

        from builder.registry.errors import NotFound

        try:
            return self.reader.resolve(replace(self._name, tag=carrier_tag(role, subject), digest=None))
        except NotFound:
            return None


class LayoutPlace:
    """The signatures in an OCI layout, which does not say what its entries are about: they are asked."""

    def __init__(self, reader: LayoutReader) -> None:
        self.reader = reader

    def carriers(self, subject: Digest) -> tuple[Descriptor, ...]:
        """Every entry of the tag form, and bundles about `subject`."""
        tagged = [
            entry
            for entry in self.reader.entries
            if entry.annotations.get(_KIND) in (SIGNATURES_ENTRY, ATTESTATIONS_ENTRY)
        ]
        bundles = [entry for entry in self.reader.entries if self._is_bundle_about(entry, subject)]
        return (*tagged, *bundles)

    def _is_bundle_about(self, entry: Descriptor, subject: Digest) -> bool:
        if entry.media_type != OCI_MANIFEST or not is_bundle(entry.artifact_type):
            return False
        try:
            manifest = decode_manifest(self.reader.read(entry), entry.media_type)
        except (StoreError, InvalidDocument):
            return False
        return manifest.subject is not None and manifest.subject.digest == subject


def layout_entries(place: StorePlace, subjects: Sequence[Digest]) -> tuple[Descriptor, ...]:
    """The entries of `index.json` for the signatures of `subjects`: without names, because they are no images."""
    kinds = {"signatures": SIGNATURES_ENTRY, "attestations": ATTESTATIONS_ENTRY}
    entries: dict[Digest, Descriptor] = {}
    for subject in subjects:
        for role, descriptor in place.labelled(subject):
            annotations = {_KIND: kinds[role]} if role in kinds else {}
            entries[descriptor.digest] = Descriptor(
                media_type=descriptor.media_type,
                digest=descriptor.digest,
                size=descriptor.size,
                artifact_type=descriptor.artifact_type,
                annotations=annotations,
            )
    return tuple(entries.values())


def _described(digest: Digest, size: int, role: str) -> Descriptor:
    artifact_type = BUNDLE if role == "bundle" else ""
    return Descriptor(media_type=OCI_MANIFEST, digest=digest, size=size, artifact_type=artifact_type)
