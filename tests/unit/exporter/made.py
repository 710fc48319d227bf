"""Results of builds made of bytes, to be assembled and exported."""

from __future__ import annotations

import msgspec

from builder.oci.config import History, scratch_config
from builder.oci.descriptor import Descriptor
from builder.oci.digest import DiffID, Digest
from builder.oci.mediatypes import OCI_LAYER
from builder.platforms import Platform
from exporter.assemble import Layer, PlatformImage

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
EPOCH = 1_700_000_000
EPOCH_TEXT = "2023-11-14T22:13:20Z"


def layer(content: bytes, *, created: str | None = None, annotations: dict[str, str] | None = None) -> Layer:
    digest = Digest.of(content)
    return Layer(
        descriptor=Descriptor(
            media_type=OCI_LAYER, digest=digest, size=len(content), annotations=annotations or {}
        ),
        diff_id=DiffID(digest),
        created=created,
    )


def image(
    platform: Platform = AMD64, *layers: Layer, history: tuple[History, ...] = (), created: str | None = None
) -> PlatformImage:
    config = msgspec.structs.replace(scratch_config(platform), history=history, created=created)
    return PlatformImage(platform=platform, config=config, layers=layers)
