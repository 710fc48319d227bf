"""What a Docker Engine says about its images, as the rest of dockyard speaks of images.

Engines of API 1.48 and newer describe what an index has; of older ones only the one image is known that they would
run here. An image without a name is called by its ID, and one that was pulled by digest by that.
Source: Docker Engine API, ImageList and ImageInspect.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.descriptor import Descriptor, PlatformObject
from builder.oci.digest import Digest, decode_hook
from builder.oci.mediatypes import DOCKER_CONFIG
from builder.oci.reference import parse_reference
from builder.store.engine.errors import EngineError
from builder.store.facts import ImageFacts, ListedImage, ManifestFacts
from builder.store.protocol import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_NO_NAME: Final = "<none>"
_IMAGE: Final = "image"


class _Size(msgspec.Struct, frozen=True, rename="pascal"):
    total: int = 0


class _ImageData(msgspec.Struct, frozen=True, rename="pascal"):
    platform: PlatformObject


class _AttestationData(msgspec.Struct, frozen=True):
    about: Digest = msgspec.field(name="For")


class _ListedManifest(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    descriptor: Descriptor
    available: bool
    kind: str = ""
    size: _Size = _Size()
    image_data: _ImageData | None = None
    attestation_data: _AttestationData | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """An element of the engine's list, as far as it matters here."""

    id: Digest
    repo_tags: tuple[str, ...] | None = None
    repo_digests: tuple[str, ...] | None = None
    created: int = 0
    size: int = 0
    labels: dict[str, str] | None = None
    descriptor: Descriptor | None = None
    manifests: tuple[_ListedManifest, ...] | None = None


class Inspected(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What the engine would run of an image."""

    os: str
    architecture: str
    variant: str = ""


def decode_list(content: bytes) -> tuple[Answer, ...]:
    """The engine's list of images. Raises: EngineError."""
    try:
        return msgspec.json.decode(content, type=tuple[Answer, ...], dec_hook=decode_hook)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EngineError(f"the Docker Engine's list of images cannot be understood: {error}") from error


def listed_images(
    answers: Iterable[Answer], inspect: Callable[[Digest], Inspected]
) -> tuple[ListedImage, ...]:
    """Every name with its image, by name; `inspect` asks for what an old engine's list does not say."""
    found = []
    for answer in answers:
        facts = _facts(answer, inspect)
        found += [ListedImage(_image(name, answer), facts) for name in _names(answer)]
    return tuple(sorted(found, key=lambda each: each.image.name))


def _names(answer: Answer) -> tuple[str, ...]:
    given = [name for name in answer.repo_tags or () if _NO_NAME not in name]
    given = given or [name for name in answer.repo_digests or () if _NO_NAME not in name]
    return tuple(str(parse_reference(name)) for name in given) or (answer.id,)


def _image(name: str, answer: Answer) -> Image:
    # An ID is the digest of a config in the classic store, and of a manifest or index in containerd's. Of which
    # type and length it is an old engine does not say.
    target = answer.descriptor or Descriptor(media_type=DOCKER_CONFIG, digest=answer.id, size=0)
    bare = msgspec.structs.replace(target, annotations={})
    return Image(name=name, target=bare, labels={}, created_at=answer.created, updated_at=answer.created)


def _facts(answer: Answer, inspect: Callable[[Digest], Inspected]) -> ImageFacts:
    manifests = tuple(map(_manifest, answer.manifests or ()))
    if answer.manifests is None:
        manifests = (_only_manifest(answer, inspect(answer.id)),)
    return ImageFacts(
        manifests=manifests,
        size=answer.size,
        created=datetime.fromtimestamp(answer.created, UTC),
        labels=answer.labels or {},
    )


def _manifest(listed: _ListedManifest) -> ManifestFacts:
    described = listed.image_data.platform if listed.image_data else listed.descriptor.platform
    return ManifestFacts(
        descriptor=listed.descriptor,
        platform=described.platform if described and listed.kind == _IMAGE else None,
        about=listed.attestation_data.about if listed.attestation_data else None,
        here=listed.available,
        size=listed.size.total,
        missing=0 if listed.available else listed.descriptor.size,
    )


def _only_manifest(answer: Answer, inspected: Inspected) -> ManifestFacts:
    platform = PlatformObject(
        architecture=inspected.architecture, os=inspected.os, variant=inspected.variant
    ).platform
    target = answer.descriptor or Descriptor(media_type=DOCKER_CONFIG, digest=answer.id, size=0)
    return ManifestFacts(descriptor=target, platform=platform, size=answer.size)
