"""The two families of media types that an image may be written in.

Documents of one image are all of one family: readers of Docker's do not expect OCI's within, nor the reverse.
"""

from __future__ import annotations

from typing import Final

import msgspec

from builder.oci.mediatypes import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    layer_compression,
)


class TypeFamily(msgspec.Struct, frozen=True, kw_only=True):
    """Media types that belong together.

    `separator` stands between a layer's type and its compression. `annotated`: its documents have annotations.
    """

    index: str
    manifest: str
    config: str
    layer_tar: str
    separator: str
    annotated: bool

    def layer(self, media_type: str) -> str:
        """What a layer of `media_type` is called in this family.

        Raises: Unsupported for a type that is not a tar layer.
        """
        compression = layer_compression(media_type)
        if compression == "uncompressed":
            return self.layer_tar
        return f"{self.layer_tar}{self.separator}{compression}"


OCI: Final = TypeFamily(
    index=OCI_INDEX,
    manifest=OCI_MANIFEST,
    config=OCI_CONFIG,
    layer_tar=OCI_LAYER,
    separator="+",
    annotated=True,
)
DOCKER: Final = TypeFamily(
    index=DOCKER_INDEX,
    manifest=DOCKER_MANIFEST,
    config=DOCKER_CONFIG,
    layer_tar=DOCKER_LAYER,
    separator=".",
    annotated=False,
)
