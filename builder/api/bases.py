"""Base images for graphs that are made without a Dockerfile."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from builder.graph import Image
from builder.oci.config import ImageConfig
from builder.oci.reference import parse_reference
from builder.platforms import Platform, host_platform
from builder.store.imagegraph import resolve_platform
from builder.store.selection import open_store
from builder.system.places import default_root

if TYPE_CHECKING:
    from pathlib import Path


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """An image of the store to build on: the operation for a graph, and the config to start from."""

    operation: Image
    config: ImageConfig


def find_base(
    name: str, *, platform: Platform | None = None, root: Path | None = None, driver: str | None = None
) -> Base:
    """The image that `name`, as people write it, has in the store, for `platform` (default: this machine's).

    Raises: ImageNotFound, NoMatchingPlatform, StoreError, InvalidReference.
    """
    reference = parse_reference(name)
    with open_store(root or default_root(os.environ, uid=os.geteuid()), driver=driver) as store:
        image = store.images.get(str(reference))
        found = resolve_platform(store.content, image.target, platform or host_platform())
    operation = Image(
        reference=str(reference),
        digest=found.descriptor.digest,
        diff_ids=found.config.diff_ids,
        platform=found.platform,
    )
    return Base(operation=operation, config=found.config)
