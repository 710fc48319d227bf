"""Annotations that people ask for, and the document in which each of them lands.

Source: BuildKit's exporter attributes and the prefixes of buildx's `--annotation`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

import msgspec

from builder.platforms import Platform, parse_platform
from exporter.errors import ExportError, InvalidOutput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Level = Literal["manifest", "manifest-descriptor", "index", "index-descriptor"]

_LEVELS: Final = frozenset(get_args(Level))
_TARGET: Final = r"([a-z-]+)(?:\[([^\]]+)\])?"
_ATTRIBUTE: Final = r"annotation(?:-([a-z-]+))?(?:\[([^\]]+)\])?\.(.+)"


class Annotation(msgspec.Struct, frozen=True, kw_only=True):
    """A key and value for documents of one level; `platform` None: for all platforms."""

    level: Level = "manifest"
    platform: Platform | None = None
    key: str
    value: str


def parse_attribute(name: str, value: str) -> Annotation:
    """From an exporter attribute, for example `annotation-index.org.example.key`.

    Raises: InvalidOutput.
    """
    matched = re.fullmatch(_ATTRIBUTE, name, re.DOTALL)
    if matched is None:
        raise InvalidOutput(f"invalid annotation attribute {name!r}")
    level = matched[1] or "manifest"
    if level not in _LEVELS:
        raise InvalidOutput(f"unrecognized annotation type {level}")
    return _annotation(level, matched[2], matched[3], value)


def parse_annotation(name: str, value: str) -> tuple[Annotation, ...]:
    """From the command line: `key`, or levels in front, for example `index,manifest[linux/amd64]:key`.

    Raises: InvalidOutput, worded as buildx words it.
    """
    targets, colon, key = name.partition(":")
    if not colon:
        targets, key = "manifest", name
    if not key:
        raise InvalidOutput(f'invalid annotation "{name}={value}", expected key=value')
    found = []
    for target in targets.split(","):
        matched = re.fullmatch(_TARGET, target)
        if matched is None or matched[1] not in _LEVELS:
            raise InvalidOutput(f'unknown annotation type "{target}"')
        found.append(_annotation(matched[1], matched[2], key, value))
    return tuple(found)


def annotations_for(
    annotations: Iterable[Annotation], level: Level, platform: Platform | None = None
) -> dict[str, str]:
    """Those of `level` for `platform`, sorted by key; those for one platform win over those for all."""
    chosen = sorted(
        (each for each in annotations if each.level == level and each.platform in (None, platform)),
        key=lambda each: (each.key, each.platform is not None),
    )
    return {each.key: each.value for each in chosen}


def require_applicable(
    annotations: Iterable[Annotation], platforms: Sequence[Platform], *, has_index: bool
) -> None:
    """Raises: ExportError for an annotation of a document that the image will not have."""
    for each in annotations:
        if each.platform is not None and each.platform not in platforms:
            raise ExportError(f"invalid annotation: no platform {each.platform} found in source")
        if each.level.startswith("index") and not has_index:
            raise ExportError("index annotations not supported for single platform export")


def _annotation(level: str, platform: str | None, key: str, value: str) -> Annotation:
    if level.startswith("index") and platform is not None:
        raise InvalidOutput(f'annotation "{key}" of the {level} cannot be for one platform')
    return Annotation(
        level=cast("Level", level),
        platform=parse_platform(platform) if platform is not None else None,
        key=key,
        value=value,
    )
