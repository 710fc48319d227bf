"""The one thing a frontend asks of the world: what a name stands for.

The frontend decides which names are looked up, in which order and for which platform; who answers decides
where images live and how contexts are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

import msgspec

from builder.graph import Git, Http, Vertex
from builder.oci.config import ImageConfig
from builder.oci.digest import Digest
from builder.oci.reference import InvalidReference, Reference, parse_reference
from builder.platforms import Platform

if TYPE_CHECKING:
    from builder.graph import Location


class ResolvedImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image that was found: `digest` names the manifest for `platform`, `config` describes its layers."""

    reference: Reference
    digest: Digest
    config: ImageConfig
    platform: Platform


class ImageContext(msgspec.Struct, frozen=True):
    """A named context that is an image."""

    image: ResolvedImage


class LocalContext(msgspec.Struct, frozen=True):
    """A named context that is a directory of the caller; `exclude` comes from its own ignore file."""

    name: str
    exclude: tuple[str, ...] = ()


class RemoteContext(msgspec.Struct, frozen=True):
    """A named context that is fetched: the files of a repository, or the one file of a URL."""

    operation: Git | Http


class BuiltContext(msgspec.Struct, frozen=True):
    """A named context that is made by this build: its files (None: there are none), and the image's config."""

    vertex: Vertex | None
    config: ImageConfig


NamedContext: TypeAlias = ImageContext | LocalContext | RemoteContext | BuiltContext


def context_config(context: NamedContext) -> ImageConfig | None:
    """The image config that `context` brings along; None for plain files."""
    match context:
        case ImageContext(image=image):
            return image.config
        case BuiltContext(config=config):
            return config
        case _:
            return None


class Resolver(Protocol):
    """Answers what names stand for. Asked in file order, and only for what the target needs."""

    def image(self, reference: str, platform: Platform, *, location: Location) -> ResolvedImage:
        """The image that `reference`, as the Dockerfile spells it, names for `platform`.

        Raises: DockyardError when there is none, or none for this platform.
        """

    def context(self, name: str, platform: Platform) -> NamedContext | None:
        """The context that the caller gave under `name`; None when there is none.

        `name` is a `context_key`, first with `::` and the platform behind it, then without.
        Raises: DockyardError when there is one that cannot be used.
        """

    def modified(self, source: Git | Http) -> int | None:
        """When what `source` fetches was made, in seconds since 1970; None where nothing tells.

        A commit tells, a server, or the newest file of an archive. Raises: DockyardError.
        """


_NOT_REPLACEABLE = frozenset({"scratch", "context"})


def context_key(name: str) -> str | None:
    """The spelling under which a named context is kept and looked up; None for what cannot be one.

    `docker.io/library/alpine:latest`, `alpine:latest` and `alpine` are one name; `alpine:3.20` is another.
    """
    if name in _NOT_REPLACEABLE:
        return None
    try:
        return parse_reference(name).familiar.removesuffix(":latest")
    except InvalidReference:
        return None


def find_context(resolver: Resolver, name: str, platform: Platform) -> NamedContext | None:
    """The context that stands in for `name`: one for this platform before one for all."""
    key = context_key(name)
    if key is None:
        return None
    return resolver.context(f"{key}::{platform}", platform) or resolver.context(key, platform)
