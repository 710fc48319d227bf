"""From the syntax tree to the build graph: one target for each platform.

Each platform is converted on its own, from the same tree. Vertices that do not depend on the platform come
out equal and have equal digests, and that alone makes the solver run them once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from frontend.definition import Definition
from frontend.dockerfile.conversion.images import Images
from frontend.dockerfile.conversion.target import convert_target
from frontend.dockerfile.parse import parse

if TYPE_CHECKING:
    from frontend.options import Options
    from frontend.resolver import Resolver


def convert(text: bytes, options: Options, resolver: Resolver) -> Definition:
    """The graph that the Dockerfile in `text` describes.

    Raises: DockerfileError (DockerfileErrors for several mistakes) with the lines it is about, and what the
    resolver raises for images and contexts.
    """
    dockerfile = parse(options.filename, text, frontend=options.build_args.get("BUILDKIT_SYNTAX", ""))
    images = Images(resolver)
    platforms = options.platforms or (options.build_platform,)
    return Definition(
        targets=tuple(convert_target(dockerfile, options, images, platform) for platform in platforms)
    )
