"""What the documents of an image say about it in sum: platforms, size, age.

Reads manifests and configs, never layers. What is missing or damaged counts as nothing, because a list must
show the healthy images beside a broken one; `dockyard store gc --check` is the place for complaints.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.manifest import Manifest
from builder.oci.mediatypes import CONFIGS
from builder.platforms import Platform
from builder.store.imagegraph import read_config, walk_here
from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from builder.oci.descriptor import Descriptor
    from builder.store.protocol import ContentReader

_UNKNOWN: Final = "unknown"


class ImageFacts(msgspec.Struct, frozen=True):
    """Platforms in the order of the index; `size` of all blobs in bytes; when the newest part was made."""

    platforms: tuple[Platform, ...]
    size: int
    created: datetime | None


def image_facts(content: ContentReader, root: Descriptor) -> ImageFacts:
    """Sums up the image below `root`; each blob counts once."""
    size = 0
    platforms: dict[Platform, None] = {}
    times: list[datetime] = []
    with suppress(DockyardError):
        for visited in walk_here(content, root):
            size += visited.descriptor.size
            manifest = visited.document
            # An attestation is a manifest, too: with a config of no known kind, or of no known platform.
            if isinstance(manifest, Manifest) and manifest.config.media_type in CONFIGS:
                config = read_config(content, manifest)
                if _UNKNOWN not in (config.os, config.architecture):
                    platforms[config.platform] = None
                    times += _moment(config.created)
    return ImageFacts(tuple(platforms), size, max(times, default=None))


def _moment(text: str | None) -> list[datetime]:
    with suppress(ValueError):
        moment = datetime.fromisoformat(text or "")
        return [moment if moment.tzinfo else moment.replace(tzinfo=UTC)]
    return []
