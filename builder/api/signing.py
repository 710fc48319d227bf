"""`sign()`: signatures over an image of the store, or over one at a registry; and how they travel.

In the store signatures hang on the image (`exporter.attest.signing.stored`), so that a push of it, under whatever
name, takes them along.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.reference import parse_reference
from builder.registry.reader import RegistryReader
from builder.registry.registries import Registries
from builder.store.imagegraph import PARTIAL
from builder.store.selection import open_selected
from exporter.attest.signing.errors import SigningError
from exporter.attest.signing.places import RegistryPlace, tag_layers
from exporter.attest.signing.pushing import push_carrier
from exporter.attest.signing.signing import sign_image, signed_subjects
from exporter.attest.signing.stored import StorePlace, keep_carrier, stored_carriers

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable
    from pathlib import Path

    from builder.oci.reference import Reference
    from builder.registry.repository import Repository
    from builder.store.containerd.address import Address
    from builder.store.protocol import ContentReader, ContentWriter
    from exporter.attest.signing.carriers import Carrier, TagRole
    from exporter.attest.signing.signing import SigningOptions


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
    blob = content.find(target.digest)
    if blob is not None and PARTIAL in blob.labels:
        raise SigningError(
            f"{target.digest} was pulled for some of its platforms only, and is signed as a whole",
            hint="`dockyard pull --platform all` fetches the others",
        )
    place = StorePlace(content, target.digest)

    def before(role: TagRole, subject: Digest) -> tuple[Descriptor, ...]:
        return tag_layers(content, place.tagged(role, subject))

    carriers = sign_image(content, target, options, repository=repository, before=before)
    for carrier in carriers:
        keep_carrier(content, target.digest, carrier)
    return carriers


def push_signatures(
    repository: Repository, content: ContentReader, target: Descriptor, reference: Reference
) -> None:
    """Sends the signatures that the store has over the image below `target`, if there are any.

    Raises: RegistryError, StoreError, SigningError.
    """
    there = RegistryPlace(RegistryReader(repository), reference)
    for subject in signed_subjects(content, target):
        for carrier in stored_carriers(content, target.digest, subject):
            push_carrier(repository, there, carrier)


def _sign_at_registry(repository: Repository, reference: Reference, options: SigningOptions) -> SignedImage:
    reader = RegistryReader(repository)
    there = RegistryPlace(reader, reference)
    target = reader.resolve(reference)

    def before(role: TagRole, subject: Digest) -> tuple[Descriptor, ...]:
        return tag_layers(reader, there.tagged(role, subject))

    carriers = sign_image(reader, target, options, repository=reference.repository, before=before)
    for carrier in carriers:
        push_carrier(repository, there, carrier)
    return _signed(target, carriers, at_registry=True)


def _signed(target: Descriptor, carriers: Iterable[Carrier], *, at_registry: bool) -> SignedImage:
    subjects = tuple(dict.fromkeys(carrier.subject.digest for carrier in carriers))
    return SignedImage(root=target, subjects=subjects, at_registry=at_registry)
