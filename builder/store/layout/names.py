"""Names of images in `index.json`: the annotations that say them, written and read.

An archive may say what its images are called only at its top, and only if nobody else has said so: what
stands deeper in a downloaded image must never choose a tag.
Source: OCI image-spec, annotations.md; containerd's `io.containerd.image.name`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.reference import InvalidReference, parse_reference
from builder.store.errors import InvalidLayout

if TYPE_CHECKING:
    from builder.oci.descriptor import Descriptor
    from builder.oci.reference import Reference

FULL_NAME: Final = "io.containerd.image.name"
REF_NAME: Final = "org.opencontainers.image.ref.name"
KIND: Final = "kind"
"""What an entry of a layout of cosign's is: an image, or signatures, which have no names."""

SIGNATURES: Final = "dev.cosignproject.cosign/sigs"
ATTESTATIONS: Final = "dev.cosignproject.cosign/atts"
IMAGE_KINDS: Final = ("dev.cosignproject.cosign/image", "dev.cosignproject.cosign/imageIndex")
"""Kinds of a manifest's entry, and of an index's."""

CREATED: Final = "org.opencontainers.image.created"


def named_entry(target: Descriptor, name: Reference | None, *, created: str | None = None) -> Descriptor:
    """An entry of `index.json` for `target`. `created` in RFC 3339."""
    annotations = dict(target.annotations)
    if name is not None:
        annotations[FULL_NAME] = str(name)
        if name.tag:
            annotations[REF_NAME] = name.tag
    if created is not None:
        annotations[CREATED] = created
    return msgspec.structs.replace(target, annotations=annotations)


def bare_target(entry: Descriptor) -> Descriptor:
    """What an entry points at, without the annotations that belong to the layout."""
    annotations = {
        key: value
        for key, value in entry.annotations.items()
        if key not in (FULL_NAME, REF_NAME, CREATED, KIND)
    }
    return msgspec.structs.replace(entry, annotations=annotations)


def is_image(entry: Descriptor) -> bool:
    """Whether an entry is for an image, rather than for signatures or other artifacts about one."""
    return not entry.artifact_type and entry.annotations.get(KIND) not in (SIGNATURES, ATTESTATIONS)


def same_name(one: Descriptor, other: Descriptor) -> bool:
    """Whether two entries have the same name, so that only one of them may stay."""
    if FULL_NAME in one.annotations or FULL_NAME in other.annotations:
        return one.annotations.get(FULL_NAME) == other.annotations.get(FULL_NAME)
    return one.annotations.get(REF_NAME) == other.annotations.get(REF_NAME)


def entry_name(entry: Descriptor) -> Reference | None:
    """The full name that an entry has by its annotations; None when it has none.

    Raises: InvalidLayout when it is no name for an image.
    """
    text = entry.annotations.get(FULL_NAME) or entry.annotations.get(REF_NAME)
    if not text:
        return None
    try:
        return parse_reference(text)
    except InvalidReference as error:
        raise InvalidLayout(f"index.json names {entry.digest} {text[:200]!r}: {error.message}") from error


def matches(entry: Descriptor, text: str) -> bool:
    """Whether `text` means this entry: its tag, its full name in any spelling, or its digest."""
    if text in (entry.digest, entry.annotations.get(REF_NAME), entry.annotations.get(FULL_NAME)):
        return True
    try:
        return str(parse_reference(text)) == entry.annotations.get(FULL_NAME)
    except InvalidReference:
        return False
