"""What `docker image inspect` says of an image, for templates that people have.

Source: Docker Engine API, ImageInspect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from builder.oci.digest import encode_json
from builder.oci.reference import parse_reference
from builder.platforms import host_platform
from builder.store.errors import BlobNotFound, NoMatchingPlatform
from builder.store.imagegraph import platform_manifests, read_config, resolve_platform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from builder.api.images.service import OpenImage
    from builder.oci.manifest import Manifest
    from builder.platforms import Platform
    from builder.store.protocol import Image


def inspection(opened: OpenImage, named: Sequence[Image], platform: Platform | None) -> Mapping[str, object]:
    """The fields for `platform`; None: this machine's, or the first one of an image that has none for it.

    `named` is the image under each of its names. Raises: NoMatchingPlatform, StoreError, InvalidDocument.
    """
    manifest = _manifest(opened, platform)
    read_config(opened.reader, manifest)
    # Read as it is: people ask for members of configs that dockyard has no names for.
    config: dict[str, Any] = msgspec.json.decode(opened.reader.read(manifest.config))
    names = [parse_reference(image.name) for image in named if not image.is_nameless]
    target = named[0].target
    history = config.get("history") or [{}]
    return {
        "Id": str(target.digest),
        "RepoTags": [name.familiar for name in names if name.tag],
        "RepoDigests": sorted(
            {
                f"{name.familiar.removesuffix(f':{name.tag}').partition('@')[0]}@{target.digest}"
                for name in names
            }
        ),
        "Comment": history[-1].get("comment", ""),
        "Created": config.get("created", ""),
        "Author": config.get("author", ""),
        "Config": config.get("config") or {},
        "Architecture": config.get("architecture", ""),
        "Variant": config.get("variant", ""),
        "Os": config.get("os", ""),
        "Size": manifest.config.size + sum(layer.size for layer in manifest.layers),
        "RootFS": {"Type": "layers", "Layers": (config.get("rootfs") or {}).get("diff_ids", [])},
        "Descriptor": msgspec.json.decode(encode_json(opened.root)),
    }


def _manifest(opened: OpenImage, platform: Platform | None) -> Manifest:
    try:
        return resolve_platform(opened.reader, opened.root, platform or host_platform()).manifest
    except BlobNotFound as error:
        raise BlobNotFound(error.message, hint="--platform shows one that is here") from error
    except NoMatchingPlatform:
        first = None if platform else next(platform_manifests(opened.reader, opened.root), None)
        if first is None:
            raise
        return first[1]
