"""What `dockyard images` says of an image: as values, as JSON, and as the fields of templates."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from builder.cli.table import age
from builder.oci.reference import InvalidReference, parse_reference
from builder.progress.units import format_bytes

if TYPE_CHECKING:
    from builder.store.facts import ListedImage, ManifestFacts

NONE: Final = "<none>"
_SHOWN_DIGITS: Final = 12
_PREDICATES: Final = (("https://spdx.dev/", "SBOM"), ("https://slsa.dev/provenance/", "provenance"))


class ManifestRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A manifest of the image. `about` is the digest of that which is attested; sizes in bytes."""

    kind: Literal["image", "attestation"]
    digest: str
    platform: str = ""
    about: str = ""
    predicates: tuple[str, ...] = ()
    size: int
    missing: int = 0
    here: bool = True


class ImageRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An image under one name. `size` counts each blob that is here once; `created` is in RFC 3339.

    `origin` is the repository that has what is not here of the image, if that is known.
    """

    id: str
    name: str
    tag: str
    platforms: tuple[str, ...]
    size: int
    created: datetime
    manifests: tuple[ManifestRow, ...] = ()
    origin: str = ""


def describe(listed: ListedImage) -> ImageRow:
    """What the list says of an image."""
    image, facts = listed.image, listed.facts
    name, tag = (NONE, NONE) if image.is_nameless else _split(image.name)
    return ImageRow(
        id=image.target.digest,
        name=name,
        tag=tag,
        platforms=tuple(map(str, facts.platforms)),
        size=facts.size,
        created=created(listed),
        manifests=tuple(map(_manifest, facts.manifests)),
        origin=facts.origin,
    )


def created(listed: ListedImage) -> datetime:
    """When the image was made; of one that does not say, when it got its name."""
    return listed.facts.created or datetime.fromtimestamp(listed.image.created_at, UTC)


def shown_id(digest: str, *, whole: bool) -> str:
    """A digest as tables show it."""
    return digest if whole else digest.removeprefix("sha256:")[:_SHOWN_DIGITS]


def shown_platforms(row: ImageRow) -> str:
    """The platforms that are here, and how many more the image has."""
    absent = sum(not each.here and each.kind == "image" for each in row.manifests)
    here = ",".join(row.platforms) or NONE
    return f"{here} (+{absent} not here)" if absent else here


def shown_size(size: int, missing: int) -> str:
    """Bytes that are here, and bytes of layers that are not."""
    return f"{format_bytes(size)} (+{format_bytes(missing)} not here)" if missing else format_bytes(size)


def missing_layers(row: ImageRow) -> int:
    """Bytes that are not here of the platforms that are."""
    return sum(each.missing for each in row.manifests if each.here)


def label(manifest: ManifestRow) -> str:
    """What a manifest is, in a word: its platform, or what is attested."""
    if manifest.kind == "image":
        return manifest.platform or NONE
    return ", ".join(dict.fromkeys(map(_predicate, manifest.predicates))) or "attestation"


def template_fields(row: ImageRow, now: datetime, *, whole: bool) -> dict[str, object]:
    """What templates see: the fields of `docker images`, and the platforms."""
    return {
        "ID": shown_id(row.id, whole=whole),
        "Repository": row.name,
        "Tag": row.tag,
        "Digest": row.id,
        "Platforms": ",".join(row.platforms),
        "CreatedSince": age(row.created, now),
        "CreatedAt": f"{row.created:%Y-%m-%d %H:%M:%S %z} UTC",
        "Size": format_bytes(row.size),
    }


def _manifest(facts: ManifestFacts) -> ManifestRow:
    return ManifestRow(
        kind="attestation" if facts.is_attestation else "image",
        digest=facts.descriptor.digest,
        platform=str(facts.platform) if facts.platform else "",
        about=facts.about or "",
        predicates=facts.predicates,
        size=facts.size,
        missing=facts.missing,
        here=facts.here,
    )


def _predicate(kind: str) -> str:
    return next((word for start, word in _PREDICATES if kind.startswith(start)), kind)


def _split(name: str) -> tuple[str, str]:
    try:
        reference = parse_reference(name)
    except InvalidReference:
        return name, NONE
    familiar = msgspec.structs.replace(reference, tag="", digest=None).familiar
    return familiar, reference.tag or NONE
