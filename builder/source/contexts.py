"""Named contexts: what `--build-context NAME=SPEC` may say.

Source: buildx's reference for `--build-context`; the schemes that need a network come with the registry client.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from builder.oci.digest import Digest, InvalidDigest
from builder.source.errors import InvalidContext
from builder.system.errors import Unsupported

_LAYOUT: Final = "oci-layout://"
_IMAGE: Final = "docker-image://"
_LATER: Final = re.compile(r"(?:git|https?|ssh|target|input)[:@]|[^/]+@[^/]+:|.*\.git(?:[#?]|$)")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)


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


Context: TypeAlias = DirectoryContext | LayoutContext | ImageContext


def parse_context(name: str, spec: str) -> Context:
    """What `spec` stands for; relative paths count from the working directory.

    Raises: InvalidContext, Unsupported.
    """
    if spec.startswith(_IMAGE):
        return ImageContext(spec.removeprefix(_IMAGE))
    if spec.startswith(_LAYOUT):
        return _parse_layout(name, spec.removeprefix(_LAYOUT))
    if _LATER.match(spec) and not Path(spec).exists():
        raise Unsupported(
            f"build context {name}={spec} is not supported yet",
            hint="directories, oci-layout://PATH[:TAG] and docker-image://NAME are",
        )
    if not Path(spec).is_dir():
        raise InvalidContext(f"build context {name}: no directory at {spec}")
    return DirectoryContext(Path(spec))


def _parse_layout(name: str, text: str) -> LayoutContext:
    path, at, digest_text = text.partition("@")
    try:
        digest = Digest.parse(digest_text) if at else None
    except InvalidDigest as error:
        raise InvalidContext(f"build context {name}: {error.message}") from error
    head, colon, tail = path.rpartition(":")
    if colon and _TAG.fullmatch(tail) and not Path(path).exists():
        return LayoutContext(Path(head), tail, digest)
    return LayoutContext(Path(path), "", digest)
