"""What happens during a build, as values: the one stream that every renderer and every API caller watches.

An event says what changed, never how to show it. Times are seconds since the build began, on a clock that
does not jump. Within one vertex events come in order; between vertices they come as the work goes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

from builder.graph.location import Location
from builder.oci.digest import Digest

LogStream: TypeAlias = Literal[1, 2]
"""1: standard output of the step, 2: standard error."""


class _Timed(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    at: float


class _VertexEvent(_Timed, frozen=True, kw_only=True, tag=True):
    digest: Digest


class VertexQueued(_VertexEvent, frozen=True, kw_only=True, tag=True):
    """The vertex belongs to this build and has not begun."""

    name: str


class VertexStarted(_VertexEvent, frozen=True, kw_only=True, tag=True):
    """Work began. A vertex that ended may start again: looking up its cache key, then running it."""

    name: str


class VertexCached(_VertexEvent, frozen=True, kw_only=True, tag=True):
    """The result was there already; ends the vertex, with or without a start before."""

    name: str


class VertexCompleted(_VertexEvent, frozen=True, kw_only=True, tag=True):
    """The work is done; it took `seconds`."""

    seconds: float


class VertexFailed(_VertexEvent, frozen=True, kw_only=True, tag=True):
    """The work failed, and the build with it."""

    error: str


class VertexCanceled(_VertexEvent, frozen=True, kw_only=True, tag=True):
    """The work was stopped because the build ended for another reason."""


class VertexLog(_VertexEvent, frozen=True, kw_only=True, tag=True):
    """Bytes that the step wrote, exactly as they came: not split into lines, not decoded, not trusted."""

    stream: LogStream
    data: bytes


class VertexStatus(_VertexEvent, frozen=True, kw_only=True, tag=True):
    """How far one part of the work is, in bytes; `id` is its label (`transferring context:`).

    `total` None: not known. The first status of an `id` marks its start.
    """

    id: str
    current: int = 0
    total: int | None = None
    done: bool = False


class VertexWarning(_VertexEvent, frozen=True, kw_only=True, tag=True):
    """Something that the reader should change: a rule and its finding, with the lines it is about."""

    short: str
    detail: tuple[str, ...] = ()
    url: str = ""
    location: Location | None = None


class BuildFinished(_Timed, frozen=True, kw_only=True, tag=True):
    """Nothing comes after this. `digest` is the root of the result, None when there is none."""

    digest: Digest | None = None


VertexOutcome: TypeAlias = VertexCached | VertexCompleted | VertexFailed | VertexCanceled
VertexEvent: TypeAlias = (
    VertexQueued | VertexStarted | VertexOutcome | VertexLog | VertexStatus | VertexWarning
)
Event: TypeAlias = VertexEvent | BuildFinished
EventSink: TypeAlias = Callable[[Event], None]
"""Takes events one at a time; must be quick, because the build waits for it."""
