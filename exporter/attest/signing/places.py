"""Where signatures lie outside of a store: at a registry, and in a layout (`checking.SignaturePlace`).

A registry has cosign's tags and referrers; a layout has entries of the kinds that cosign's own layouts have, and
bundles that name their subject.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from builder.oci.descriptor import Descriptor
from builder.oci.manifest import InvalidDocument, Manifest, decode_manifest, is_index
from builder.oci.mediatypes import OCI_MANIFEST
from builder.store.errors import StoreError
from builder.store.layout.names import ATTESTATIONS, IMAGE_KINDS, KIND, SIGNATURES
from exporter.assemble import Document
from exporter.attest.signing.bundle import is_bundle
from exporter.attest.signing.carriers import (
    BUNDLE_PREDICATE,
    Carrier,
    bundle_carrier,
    carrier_tag,
    tag_carrier,
)
from exporter.attest.signing.checking import claimed_subjects, read_blob
from exporter.attest.signing.errors import SigningError
from exporter.attest.signing.stored import read_carrier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from builder.oci.digest import Digest
    from builder.oci.reference import Reference
    from builder.registry.reader import RegistryReader
    from builder.store.layout.reader import LayoutReader
    from builder.store.protocol import DocumentReader
    from exporter.attest.signing.carriers import Role, TagRole
    from exporter.attest.signing.stored import StorePlace

_TAG_ROLES: Final[tuple[TagRole, ...]] = ("signatures", "attestations")
_ENTRY_ROLES: Final[dict[str, Role]] = {SIGNATURES: "signatures", ATTESTATIONS: "attestations"}


class RegistryPlace:
    """The signatures in the repository that `reader` reads; `name` is any reference into it."""

    is_mixed: Final = False

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

    def carried(self, subject: Descriptor) -> Iterator[Carrier]:
        """The carriers of signatures over `subject`, with all that they need.

        Raises: RegistryError, InvalidDocument, MalformedSignature.
        """
        tagged = {role: self.tagged(role, subject.digest) for role in _TAG_ROLES}
        for role, carrier in tagged.items():
            if carrier is not None:
                yield read_carrier(self.reader, role, subject, carrier)
        for carrier in self.carriers(subject.digest):
            if carrier not in tagged.values() and _has_bundle(self.reader, carrier):
                yield read_carrier(self.reader, "bundle", subject, carrier)

    def tagged(self, role: TagRole, subject: Digest) -> Descriptor | None:
        """The carrier of the tag form; None when there is none. Raises: RegistryError."""
        from builder.registry.errors import NotFound

        try:
            return self.reader.resolve(replace(self._name, tag=carrier_tag(role, subject), digest=None))
        except NotFound:
            return None


class LayoutPlace:
    """The signatures in an OCI layout, which does not say what its entries are about: they are asked."""

    is_mixed: Final = True

    def __init__(self, reader: LayoutReader) -> None:
        self.reader = reader

    def carriers(self, subject: Digest) -> tuple[Descriptor, ...]:
        """Every entry of the tag form, and the bundles that do not name another subject."""
        return tuple(
            entry
            for entry in self.reader.entries
            if (role := _entry_role(entry)) is not None and (role != "bundle" or self._names(entry, subject))
        )

    def carried(self, subject: Descriptor) -> Iterator[Carrier]:
        """The carriers of what claims to be over `subject`, with all that they need.

        Raises: StoreError, InvalidDocument.
        """
        tagged: dict[TagRole, list[Document]] = {}
        for entry in self.carriers(subject.digest):
            role, manifest = _entry_role(entry), decode_manifest(self.reader.read(entry), entry.media_type)
            layers = [*self._layers_about(manifest, subject.digest)]
            if role == "bundle" and layers:
                predicate_type = manifest.annotations.get(BUNDLE_PREDICATE, "")
                yield bundle_carrier(subject, layers[0].content, predicate_type)
            elif role is not None and role != "bundle":
                # One statement may be about several images of an index, and so be found in several entries.
                tagged.setdefault(role, []).extend(layers)
        for tag_role, layers in tagged.items():
            if layers:
                yield tag_carrier(tag_role, subject, layers)

    def _names(self, entry: Descriptor, subject: Digest) -> bool:
        try:
            named = decode_manifest(self.reader.read(entry), entry.media_type).subject
        except (StoreError, InvalidDocument):
            # It is a carrier of something: whoever reads it says what is wrong with it.
            return True
        return named is not None and named.digest == subject

    def _layers_about(self, manifest: Manifest, subject: Digest) -> Iterator[Document]:
        for layer in manifest.layers:
            content = read_blob(self.reader, layer)
            if subject in claimed_subjects(layer.media_type, content):
                yield Document(descriptor=layer, content=content)


def _has_bundle(reader: DocumentReader, carrier: Descriptor) -> bool:
    """Whether a referrer is a signature: others hang on images, too, and lists do not tell all of them."""
    layers = decode_manifest(reader.read(carrier), carrier.media_type).layers
    return len(layers) == 1 and is_bundle(layers[0].media_type)


def _entry_role(entry: Descriptor) -> Role | None:
    if entry.media_type != OCI_MANIFEST:
        return None
    if is_bundle(entry.artifact_type):
        return "bundle"
    return _ENTRY_ROLES.get(entry.annotations.get(KIND, ""))


def marked_entry(entry: Descriptor) -> Descriptor:
    """An image's entry of a layout, marked so that cosign finds it among those of its signatures."""
    kind = IMAGE_KINDS[is_index(entry.media_type)]
    return replace(entry, annotations={**entry.annotations, KIND: kind})


def signature_entries(place: StorePlace, subjects: Iterable[Digest]) -> tuple[Descriptor, ...]:
    """The entries of `index.json` for the signatures of `subjects`: without names, because they are no images."""
    kinds = {role: kind for kind, role in _ENTRY_ROLES.items()}
    entries: dict[Digest, Descriptor] = {}
    for subject in subjects:
        for role, descriptor in place.labelled(subject):
            annotations = {KIND: kinds[role]} if role in kinds else {}
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
