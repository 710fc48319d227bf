"""Where signatures lie outside of a store: at a registry, and in a layout (`checking.SignaturePlace`).

A registry has cosign's tags and referrers; a layout has entries of the kinds that cosign's own layouts have, and
bundles that name their subject.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from builder.oci.descriptor import Descriptor
from builder.oci.manifest import InvalidDocument, decode_manifest
from builder.oci.mediatypes import OCI_MANIFEST
from builder.store.errors import StoreError
from exporter.attest.signing.bundle import is_bundle
from exporter.attest.signing.carriers import carrier_tag
from exporter.attest.signing.errors import SigningError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from builder.oci.digest import Digest
    from builder.oci.reference import Reference
    from builder.registry.reader import RegistryReader
    from builder.store.layout.reader import LayoutReader
    from builder.store.protocol import DocumentReader
    from exporter.attest.signing.carriers import TagRole
    from exporter.attest.signing.stored import StorePlace

_KIND: Final = "kind"
SIGNATURES_ENTRY: Final = "dev.cosignproject.cosign/sigs"
ATTESTATIONS_ENTRY: Final = "dev.cosignproject.cosign/atts"
"""What cosign's layouts call their entries, under the annotation `kind`."""

_TAG_ROLES: Final[tuple[TagRole, ...]] = ("signatures", "attestations")


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

    def tagged(self, role: TagRole, subject: Digest) -> Descriptor | None:
        """The carrier of the tag form; None when there is none. Raises: RegistryError."""
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


def layout_entries(place: StorePlace, subjects: Iterable[Digest]) -> tuple[Descriptor, ...]:
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


def tag_layers(reader: DocumentReader, carrier: Descriptor | None) -> tuple[Descriptor, ...]:
    """The layers of a carrier of the tag form; none when there is no carrier.

    Raises: SigningError when it is no manifest; DockyardError when the place cannot be asked.
    """
    if carrier is None:
        return ()
    try:
        return decode_manifest(reader.read(carrier), carrier.media_type).layers
    except InvalidDocument as error:
        raise SigningError(
            f"what stands in the place of signatures is no manifest: {error.message}",
            hint="remove it from the registry, or sign with format=bundle",
        ) from error
