"""What a frontend hands to the solver and the exporter: for each platform a vertex and an image config."""

from __future__ import annotations

import msgspec

from builder.graph.vertex import Vertex
from builder.oci.config import ImageConfig
from builder.platforms import Platform


class Extra(msgspec.Struct, frozen=True, kw_only=True):
    """A file system beside the result that its SBOM shall cover; `vertex` None is an empty one."""

    name: str
    vertex: Vertex | None


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One platform's build.

    `vertex` None is the empty file system. `config` is complete but for what only the result knows: `rootfs`,
    and the times of history entries, which stay None until layers have been made. `extras` are built only for
    an SBOM.
    """

    platform: Platform
    vertex: Vertex | None
    config: ImageConfig
    extras: tuple[Extra, ...] = ()
