"""What is known of a build when its provenance is written: collected by whoever builds, the same for both modes."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from builder.graph.operations import Local, Operation
from builder.graph.vertex import Vertex
from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.platforms import Platform

MaterialKind: TypeAlias = Literal["image", "git", "http"]


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """A source that a result was made from. `uri` is a package URL or a URL without credentials.

    `digest` maps the name of an algorithm to hexadecimal digits; empty when what was used is not known.
    """

    kind: MaterialKind
    uri: str
    digest: dict[str, str]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller asked for, in the names of BuildKit's frontend attributes.

    `frontend` is empty for a graph that came without a Dockerfile, `filename` then as well. `locals` are the
    names of directories that were used. `context_uri` and `context_digest` are of a remote context.
    """

    frontend: str = ""
    filename: str = ""
    args: dict[str, str] = {}
    locals: tuple[str, ...] = ()
    context_uri: str = ""
    context_digest: dict[str, str] = {}


class BuildFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for all platforms of a build. Times in RFC 3339.

    `dockerfile_source` is the step that the Dockerfile came from. `vcs` maps `revision`, `source` and
    `localdir:NAME` to what the repository around the context says.
    """

    request: Request
    builder_platform: Platform
    dockerfile_version: str
    invocation_id: str
    started: str
    finished: str
    vcs: dict[str, str] = {}
    dockerfile_source: Operation = Local(name="dockerfile")


class ResultFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for one platform. `chains` maps vertices to the layers that were exported for them."""

    vertex: Vertex | None
    materials: tuple[Material, ...]
    chains: dict[Digest, tuple[Descriptor, ...]] = {}
