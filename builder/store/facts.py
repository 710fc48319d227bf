"""What the documents of an image say about it in sum: manifests, sizes, age, labels.

Reads manifests and configs, never layers. What is missing or damaged counts as nothing, because a list must
show the healthy images beside a broken one; `dockyard store gc --check` is the place for complaints.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest, InvalidDigest
from builder.oci.manifest import Index, Manifest
from builder.oci.mediatypes import CONFIGS, INDEXES
from builder.platforms import Platform
from builder.store.imagegraph import PARTIAL, children, is_attestation, read_config, walk_image
from builder.store.protocol import Image
from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from builder.oci.config import ImageConfig
    from builder.store.protocol import ContentReader, Store

_SUBJECT: Final = "vnd.docker.reference.digest"
_PREDICATE: Final = "in-toto.io/predicate-type"
_UNKNOWN: Final = "unknown"


class ManifestFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest that an image has: for a platform, or of attestations `about` another one.

    `size` counts the bytes of it that are here, each blob once, and `missing` those that are not. A manifest that
    is itself not `here` does not tell what else there would be.
    """

    descriptor: Descriptor
    platform: Platform | None = None
    about: Digest | None = None
    predicates: tuple[str, ...] = ()
    here: bool = True
    size: int = 0
    missing: int = 0

    @property
    def is_attestation(self) -> bool:
        """Whether it says something about an image instead of being one."""
        return is_attestation(self.descriptor)


class ImageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Manifests in the order of the index, bytes of all blobs that are here, and when the newest part was made.

    `origin` is the repository that has what is not here, if that is known; `labels` are those of the configs.
    """

    manifests: tuple[ManifestFacts, ...] = ()
    size: int = 0
    created: datetime | None = None
    labels: dict[str, str] = {}
    origin: str = ""

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """The platforms that are here, each once."""
        return tuple(dict.fromkeys(each.platform for each in self.manifests if each.platform and each.here))


class ListedImage(msgspec.Struct, frozen=True):
    """An image as lists show it."""

    image: Image
    facts: ImageFacts


def list_images(store: Store) -> tuple[ListedImage, ...]:
    """Every image of `store`, by name. Raises: StoreError."""
    images = store.images.all()
    # Asked for once: a daemon answers for all of its blobs as fast as for one.
    here = {blob.digest for blob in store.content.walk()} if images else set()
    known: dict[Digest, ImageFacts] = {}
    for image in images:
        if image.target.digest not in known:
            known[image.target.digest] = image_facts(store.content, image.target, here)
    return tuple(ListedImage(image, known[image.target.digest]) for image in images)


def image_facts(content: ContentReader, root: Descriptor, here: Collection[Digest]) -> ImageFacts:
    """Sums up the image below `root`; `here` are the blobs that `content` has."""
    sizes: dict[Digest, int] = {}
    order: list[Descriptor] = []
    found: dict[Digest, ManifestFacts] = {}
    configs: list[ImageConfig] = []
    with suppress(DockyardError):
        for visited in walk_image(content, root, wanted=lambda _, each: each.digest in here):
            blob = visited.descriptor
            sizes[blob.digest] = blob.size
            if isinstance(visited.document, Index):
                order += [each for each in visited.children if each.media_type not in INDEXES]
            elif visited.document is not None:
                config = _config(content, visited.document)
                configs += [config] if config else []
                found[blob.digest] = _manifest_facts(blob, visited.document, config, here)
    if root.media_type not in INDEXES:
        order = [each.descriptor for each in found.values()]
    return ImageFacts(
        manifests=tuple(found.get(each.digest) or _absent(each) for each in order),
        size=sum(sizes.values()),
        created=max((moment for each in configs for moment in _moment(each.created)), default=None),
        labels={name: value for each in configs for name, value in (each.config.labels or {}).items()},
        origin=_origin(content, root),
    )


def _config(content: ContentReader, manifest: Manifest) -> ImageConfig | None:
    """The config of an image. An attestation is a manifest, too: with a config of no known kind or platform."""
    if manifest.config.media_type in CONFIGS:
        with suppress(DockyardError):
            config = read_config(content, manifest)
            return None if _UNKNOWN in (config.os, config.architecture) else config
    return None


def _manifest_facts(
    descriptor: Descriptor, manifest: Manifest, config: ImageConfig | None, here: Collection[Digest]
) -> ManifestFacts:
    blobs = {each.digest: each.size for each in (descriptor, *children(manifest))}
    size = sum(length for digest, length in blobs.items() if digest in here)
    predicates = (each.annotations.get(_PREDICATE, "") for each in manifest.layers)
    return ManifestFacts(
        descriptor=descriptor,
        platform=config.platform if config else None,
        about=_subject(descriptor),
        predicates=tuple(dict.fromkeys(each for each in predicates if each)),
        size=size,
        missing=sum(blobs.values()) - size,
    )


def _absent(descriptor: Descriptor) -> ManifestFacts:
    described = None if is_attestation(descriptor) else descriptor.platform
    return ManifestFacts(
        descriptor=descriptor,
        platform=described.platform if described else None,
        about=_subject(descriptor),
        here=False,
        missing=descriptor.size,
    )


def _subject(descriptor: Descriptor) -> Digest | None:
    with suppress(InvalidDigest):
        return Digest.parse(descriptor.annotations.get(_SUBJECT, ""))
    return None


def _origin(content: ContentReader, root: Descriptor) -> str:
    blob = content.find(root.digest)
    return blob.labels.get(PARTIAL, "") if blob is not None else ""


def _moment(text: str | None) -> Iterable[datetime]:
    with suppress(ValueError):
        moment = datetime.fromisoformat(text or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC),)
    return ()
