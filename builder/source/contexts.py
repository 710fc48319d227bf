"""Named contexts: what `--build-context NAME=SPEC` may say, besides addresses.

Source: buildx's reference for `--build-context`, and bake's for `target:`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from builder.oci.digest import Digest, InvalidDigest
from builder.source.errors import InvalidContext

_LAYOUT: Final = "oci-layout://"
_IMAGE: Final = "docker-image://"
_TARGET: Final = "target:"
_TAG: Final = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"


class DirectoryContext(msgspec.Struct, frozen=True):
    """A directory of the caller."""

    path: Path


class LayoutContext(msgspec.Struct, frozen=True):
    """An image in an OCI layout; without tag and digest the only one, or the one called `latest`."""

    path: Path
    tag: str = ""
    digest: Digest | None = None


class ImageContext(msgspec.Struct, frozen=True):
    """An image by name."""

    reference: str


class TargetContext(msgspec.Struct, frozen=True):
    """What another stage of the same Dockerfile makes when it is the target."""

    stage: str


Context: TypeAlias = DirectoryContext | LayoutContext | ImageContext | TargetContext


def parse_context(name: str, spec: str) -> Context:
    """What `spec` stands for; relative paths count from the working directory.

    Raises: InvalidContext.
    """
    if spec.startswith(_IMAGE):
        return ImageContext(spec.removeprefix(_IMAGE))
    if spec.startswith(_LAYOUT):
        return _parse_layout(name, spec.removeprefix(_LAYOUT))
    if spec.startswith(_TARGET):
        return TargetContext(spec.removeprefix(_TARGET))
    if not Path(spec).is_dir():
        problem = "is not a directory" if Path(spec).exists() else "no such file or directory"
        raise InvalidContext(f"failed to get build context {name}: {spec}: {problem}")
    return DirectoryContext(Path(spec))


def _parse_layout(name: str, text: str) -> LayoutContext:
    path, at, digest_text = text.partition("@")
    try:
        digest = Digest.parse(digest_text) if at else None
    except InvalidDigest as error:
        raise InvalidContext(f"build context {name}: {error.message}") from error
    head, colon, tail = path.rpartition(":")
    if colon and re.fullmatch(_TAG, tail) and not Path(path).exists():
        return LayoutContext(Path(head), tail, digest)
    return LayoutContext(Path(path), "", digest)
