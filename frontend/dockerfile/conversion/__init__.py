"""From the syntax tree to the build graph: one target for each platform.

Each platform is converted on its own, from the same tree. Vertices that do not depend on the platform come
out equal and have equal digests, and that alone makes the solver run them once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.system.errors import UsageError
from frontend.definition import Definition
from frontend.dockerfile.checks.findings import Findings
from frontend.dockerfile.checks.settings import file_settings
from frontend.dockerfile.conversion.checking import check_file, mistakes_between_stages
from frontend.dockerfile.conversion.images import Images
from frontend.dockerfile.conversion.scene import set_scene
from frontend.dockerfile.conversion.target import convert_target
from frontend.dockerfile.parse import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from frontend.definition import CheckWarning
    from frontend.options import Options
    from frontend.resolver import Resolver


def convert(
    text: bytes,
    options: Options,
    resolver: Resolver,
    *,
    on_warning: Callable[[CheckWarning], object] = lambda _warning: None,
) -> Definition:
    """The graph that the Dockerfile in `text` describes; `on_warning` gets findings, of the whole text first.

    Raises: DockerfileError (DockerfileErrors for several mistakes) with the lines it is about, UsageError for
    options that are no text, and what the resolver raises for contexts.
    """
    _require_text("build argument", options.build_args)
    _require_text("label", options.labels)
    images = Images(resolver)
    platforms = options.platforms or (options.build_platform,)
    dockerfile = parse(
        options.filename,
        text,
        frontend=options.build_args.get("BUILDKIT_SYNTAX", ""),
        mistakes=lambda rest: mistakes_between_stages(rest, options, platforms[0], on_warning),
    )
    settings = file_settings(dockerfile, options.build_args)
    # Checks speak of the text, which is the same for every platform: the first is enough.
    findings = [Findings(settings) for _ in platforms]
    try:
        check_file(dockerfile, options, platforms[0], findings[0])
        scenes = [
            set_scene(dockerfile, options, images, platform, findings=each)
            for platform, each in zip(platforms, findings, strict=True)
        ]
        targets = tuple(convert_target(scene) for scene in scenes)
    finally:
        for warning in findings[0].warnings:
            on_warning(warning)
    findings[0].require_none()
    return Definition(targets=targets)


def _require_text(what: str, pairs: Mapping[str, str]) -> None:
    """Raises: UsageError for bytes from a command line that are no UTF-8, which no graph can hold."""
    for name, value in pairs.items():
        if not (name + value).isascii() and any("\ud800" <= each <= "\udfff" for each in name + value):
            raise UsageError(f"{what} {name!a} is not valid UTF-8")
