"""Carriers to a registry: blobs first, then the manifest, where its readers will look for it.

Signatures that others put there stay: those of a tag are read and added to, and referrers do not touch each other.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO

from builder.registry.push import push_manifest
from builder.registry.referrers import push_referrer
from builder.registry.upload import push_blob
from builder.registry.watching import unwatched
from builder.store.errors import BlobNotFound
from exporter.attest.signing.carriers import carrier_tag, tag_carrier
from exporter.attest.signing.places import tag_layers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.oci.descriptor import Descriptor
    from builder.oci.digest import Digest
    from builder.registry.repository import Repository
    from exporter.assemble import Document
    from exporter.attest.signing.carriers import Carrier, TagRole
    from exporter.attest.signing.places import RegistryPlace


def push_carrier(repository: Repository, there: RegistryPlace, carrier: Carrier) -> None:
    """Makes the signatures of `carrier` known in the repository, of which `there` reads what it has.

    Raises: RegistryError, SigningError.
    """
    if carrier.role == "bundle":
        content = _push_blobs(repository, carrier.documents)
        push_referrer(repository, content, carrier.descriptor, subject=carrier.subject.digest)
    else:
        _push_tag(repository, there, carrier, carrier.role)


def _push_tag(repository: Repository, there: RegistryPlace, carrier: Carrier, role: TagRole) -> None:
    subject = carrier.subject.digest
    old = there.tagged(role, subject)
    merged = tag_carrier(role, carrier.subject, carrier.layers, before=tag_layers(there.reader, old))
    if old is None or merged.descriptor.digest != old.digest:
        content = _push_blobs(repository, merged.documents)
        push_manifest(repository, content, merged.descriptor, name=carrier_tag(role, subject))


def _push_blobs(repository: Repository, documents: Sequence[Document]) -> bytes:
    """Sends all but the last, the manifest, whose bytes are returned."""
    source = _Documents(documents)
    for document in documents[:-1]:
        push_blob(repository, document.descriptor, source, watch=unwatched)
    return documents[-1].content


class _Documents:
    """Reads what is in memory (`builder.store.protocol.BlobReader`)."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._contents = {document.descriptor.digest: document.content for document in documents}

    def read(self, descriptor: Descriptor) -> bytes:
        return self._content(descriptor.digest)

    def open(self, digest: Digest) -> BinaryIO:
        return io.BytesIO(self._content(digest))

    def _content(self, digest: Digest) -> bytes:
        try:
            return self._contents[digest]
        except KeyError:
            raise BlobNotFound(f"blob {digest} is not among what is sent") from None
