"""`sign()`: signatures over an image of the store, or over one at a registry; and how they travel.

In the store signatures hang on the image (`exporter.attest.signing.stored`), so that a push of it, under whatever
name, takes them along.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

import msgspec

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.reference import parse_reference
from builder.registry.reader import RegistryReader
from builder.registry.registries import Registries
from builder.store.selection import open_selected
from exporter.attest.signing.errors import SigningError
from exporter.attest.signing.places import (
    RegistryPlace,
    marked_entry,
    signature_entries,
)
from exporter.attest.signing.pushing import push_carrier
from exporter.attest.signing.signing import sign_image, signed_subjects
from exporter.attest.signing.stored import StorePlace, has_signatures, keep_carrier, stored_carriers

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from builder.oci.reference import Reference
    from builder.registry.repository import Repository
    from builder.store.containerd.address import Address
    from builder.store.protocol import ContentReader, ContentWriter, Store
    from exporter.attest.signing.carriers import Carrier
    from exporter.attest.signing.options import SigningOptions


class CarrierSource(Protocol):
    """Where signatures come from, together with the image that they are over."""

    def carried(self, subject: Descriptor) -> Iterator[Carrier]:
        """The carriers of signatures over `subject`, with all that they need."""
        ...


class SignedImage(msgspec.Struct, frozen=True, kw_only=True):
    """What was signed: the image's root, every digest that has a signature now, and whether a registry has them."""

    root: Descriptor
    subjects: tuple[Digest, ...]
    at_registry: bool


def sign(
    root: Path,
    name: str,
    options: SigningOptions,
    *,
    push: bool = False,
    address: Address | None = None,
    cancel: threading.Event | None = None,
) -> SignedImage:
    """Signs the image `name` of the active store, and with `push` sends its signatures to its registry.

    One that the store does not have is signed at the registry, where its signatures stay.
    Raises: SigningError, StoreError, RegistryError, InvalidReference, Cancelled.
    """
    reference = parse_reference(name)
    with ExitStack() as stack:
        store = stack.enter_context(open_selected(root, address=address))
        registries = stack.enter_context(Registries(os.environ, cancelled=cancel))
        image = store.images.find(str(reference))
        if image is None:
            return _sign_at_registry(registries.repository(reference), reference, options)
        lease = stack.enter_context(store.lease())
        carriers = sign_stored(lease.content, image.target, options, repository=reference.repository)
        if push:
            push_signatures(registries.repository(reference), store.content, image.target, reference)
        return _signed(image.target, carriers, at_registry=push)


def sign_stored(
    content: ContentWriter, target: Descriptor, options: SigningOptions, *, repository: str
) -> tuple[Carrier, ...]:
    """Signs the image below `target`, all of which is in the store, and keeps the signatures there.

    Raises: SigningError, StoreError, InvalidDocument.
    """
    if options.recursive and any(
        content.find(each.digest) is None for each in signed_subjects(content, target)
    ):
        raise SigningError(
            f"{target.digest} was pulled for some of its platforms only, and is signed as a whole",
            hint="`dockyard pull --platform all` fetches the others; --no-recursive signs the index alone",
        )
    carriers = sign_image(content, target, options, repository=repository)
    for carrier in carriers:
        keep_carrier(content, target.digest, carrier)
    return carriers


def push_signatures(
    repository: Repository, content: ContentReader, target: Descriptor, reference: Reference
) -> None:
    """Sends the signatures that the store has over the image below `target`, if there are any.

    Raises: RegistryError, StoreError, SigningError.
    """
    if not has_signatures(content, target.digest):
        return
    there = RegistryPlace(RegistryReader(repository), reference)
    for subject in signed_subjects(content, target):
        for carrier in stored_carriers(content, target.digest, subject):
            push_carrier(repository, there, carrier)


def adopt_signatures(store: Store, place: CarrierSource, images: Iterable[Descriptor]) -> None:
    """Keeps the signatures that `place` has over `images`, roots that came from it, beside those that are here.

    Raises: StoreError, InvalidDocument; RegistryError when `place` is at a registry.
    """
    with store.lease() as lease:
        for target in {image.digest: image for image in images}.values():
            for subject in signed_subjects(lease.content, target):
                if lease.content.find(subject.digest) is not None:
                    for carrier in place.carried(subject):
                        keep_carrier(lease.content, target.digest, carrier)


def with_signatures(content: ContentReader, entries: Iterable[Descriptor]) -> tuple[Descriptor, ...]:
    """`entries` of a layout, and behind them those for the signatures that the store has over their images.

    Raises: StoreError, InvalidDocument.
    """
    images: list[Descriptor] = []
    signatures: dict[Digest, Descriptor] = {}
    for entry in entries:
        if not has_signatures(content, entry.digest):
            images.append(entry)
            continue
        images.append(marked_entry(entry))
        subjects = [subject.digest for subject in signed_subjects(content, entry)]
        place = StorePlace(content, entry.digest)
        signatures.update((each.digest, each) for each in signature_entries(place, subjects))
    return (*images, *signatures.values())


class ImageSigner:
    """Signs what a build has made."""

    def __init__(self, options: SigningOptions) -> None:
        self._options = options

    def sign(self, content: ContentWriter, root: Descriptor, name: Reference | None) -> tuple[Carrier, ...]:
        """Signs the image below `root`, called `name`, whose documents are in `content`, and keeps it there.

        Raises: SigningError, StoreError, InvalidDocument.
        """
        return sign_stored(content, root, self._options, repository=name.repository if name else "")

    def keep(self, store: Store, root: Descriptor, carriers: Iterable[Carrier]) -> None:
        """Keeps signatures over an image that `store` has got, too. Raises: StoreError."""
        with store.lease() as lease:
            for carrier in carriers:
                keep_carrier(lease.content, root.digest, carrier)


def _sign_at_registry(repository: Repository, reference: Reference, options: SigningOptions) -> SignedImage:
    reader = RegistryReader(repository)
    there = RegistryPlace(reader, reference)
    target = reader.resolve(reference)
    carriers = sign_image(reader, target, options, repository=reference.repository)
    for carrier in carriers:
        push_carrier(repository, there, carrier)
    return _signed(target, carriers, at_registry=True)


def _signed(target: Descriptor, carriers: Iterable[Carrier], *, at_registry: bool) -> SignedImage:
    subjects = tuple(dict.fromkeys(carrier.subject.digest for carrier in carriers))
    return SignedImage(root=target, subjects=subjects, at_registry=at_registry)
