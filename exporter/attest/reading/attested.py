"""The statements of an image: of each platform, in the order of its attestation manifest. Nothing is verified.

Source: BuildKit's docs/attestations/attestation-storage.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.manifest import InvalidDocument, is_index
from builder.oci.mediatypes import IN_TOTO
from builder.platforms import Platform
from builder.store.errors import BlobNotFound
from builder.store.imagegraph import (
    MAX_BLOBS,
    MAX_DEPTH,
    is_attestation,
    read_config,
    read_index,
    read_manifest,
)
from exporter.attest.attach import REFERENCE_DIGEST
from exporter.attest.forms import is_artifact
from exporter.attest.signing.checking import read_blob
from exporter.attest.signing.claims import read_claims
from exporter.attest.signing.dsse import ENVELOPE, decode_envelope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.store.protocol import BlobReader

Form = Literal["artifact", "legacy"]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One statement: its blob, and the predicate, JSON as its author wrote it."""

    blob: Descriptor
    predicate_type: str
    predicate: bytes


class AttestedImage(msgspec.Struct, frozen=True, kw_only=True):
    """One platform's image, and the manifests and statements about it.

    `absent`: an attestation manifest, or a statement, that is not here, as in a store that has pulled one
    platform of several.
    """

    platform: Platform
    image: Descriptor
    manifests: tuple[Descriptor, ...] = ()
    form: Form | None = None
    statements: tuple[Said, ...] = ()
    absent: Digest | None = None


def read_attested(
    reader: BlobReader, root: Descriptor, platforms: tuple[Platform, ...] = ()
) -> tuple[AttestedImage, ...]:
    """The images below `root` in the order of the index; only those for `platforms`, if any are given.

    Raises: StoreError, InvalidDocument; MalformedSignature for what is no statement.
    """
    entries = list(_entries(reader, root, set(), 0))
    about: dict[Digest, list[Descriptor]] = {}
    for entry in filter(is_attestation, entries):
        reference = entry.annotations.get(REFERENCE_DIGEST)
        if reference is not None:
            about.setdefault(Digest.parse(reference), []).append(entry)
    images = {entry.digest: entry for entry in entries if not is_attestation(entry)}
    return tuple(
        _attested(reader, platform, image, about.get(image.digest, []))
        for image in images.values()
        if (platform := _platform(reader, image)) in platforms or not platforms
    )


def _entries(reader: BlobReader, entry: Descriptor, seen: set[Digest], depth: int) -> Iterator[Descriptor]:
    """The manifests below `entry`; an index that is listed twice is read once."""
    if not is_index(entry.media_type):
        yield entry
        return
    if depth > MAX_DEPTH or len(seen) == MAX_BLOBS:
        raise InvalidDocument(f"index {entry.digest} is nested too deeply or has too many entries")
    if entry.digest not in seen:
        seen.add(entry.digest)
        for child in read_index(reader, entry).manifests:
            yield from _entries(reader, child, seen, depth + 1)


def _platform(reader: BlobReader, image: Descriptor) -> Platform:
    if image.platform is not None:
        return image.platform.platform
    return read_config(reader, read_manifest(reader, image)).platform


def _attested(
    reader: BlobReader, platform: Platform, image: Descriptor, entries: list[Descriptor]
) -> AttestedImage:
    statements: list[Said] = []
    form: Form | None = None
    absent: Digest | None = None
    for entry in entries:
        try:
            manifest = read_manifest(reader, entry)
        except BlobNotFound:
            absent = entry.digest
            continue
        form = "artifact" if is_artifact(manifest) else "legacy"
        for layer in filter(_is_statement, manifest.layers):
            try:
                statements.append(_said(reader, layer))
            except BlobNotFound:
                absent = layer.digest
    return AttestedImage(
        platform=platform,
        image=image,
        manifests=tuple(entries),
        form=form,
        statements=tuple(statements),
        absent=absent,
    )


def _is_statement(layer: Descriptor) -> bool:
    return layer.media_type == IN_TOTO or _is_enveloped(layer)


def _is_enveloped(layer: Descriptor) -> bool:
    return layer.media_type == ENVELOPE or layer.media_type.endswith("+dsse")


def _said(reader: BlobReader, layer: Descriptor) -> Said:
    content = read_blob(reader, layer)
    claims = read_claims(decode_envelope(content).payload if _is_enveloped(layer) else content)
    return Said(blob=layer, predicate_type=claims.predicate_type, predicate=claims.predicate)
