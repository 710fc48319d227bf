"""Progress as one JSON object a line, in the shape of BuildKit's SolveStatus, for programs that watch.

Source: the JSON members of BuildKit's client types (vertexes, statuses, logs, warnings); times in RFC 3339.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from builder.oci.digest import encode_json
from builder.progress.events import (
    BuildFinished,
    VertexCached,
    VertexCanceled,
    VertexFailed,
    VertexLog,
    VertexStatus,
    VertexWarning,
)
from builder.progress.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from builder.progress.events import Event, VertexOutcome
    from builder.progress.trace import VertexTrace


class _Vertex(msgspec.Struct, frozen=True, omit_defaults=True):
    digest: str
    name: str
    started: datetime | None = None
    completed: datetime | None = None
    cached: bool = False
    error: str = ""


class _Status(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    id: str
    vertex: str
    total: int = 0
    current: int
    timestamp: datetime
    started: datetime
    completed: datetime | None = None


class _Log(msgspec.Struct, frozen=True):
    vertex: str
    stream: int
    data: bytes
    timestamp: datetime


class _Warning(msgspec.Struct, frozen=True, omit_defaults=True):
    vertex: str
    level: int
    short: bytes
    detail: tuple[bytes, ...] = ()
    url: str = ""


class _SolveStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    vertexes: tuple[_Vertex, ...] = ()
    statuses: tuple[_Status, ...] = ()
    logs: tuple[_Log, ...] = ()
    warnings: tuple[_Warning, ...] = ()


class RawJsonRenderer:
    """Writes a line for each event, at once. `began` is the time of day at which the build began."""

    def __init__(self, write: Callable[[str], object], *, began: datetime) -> None:
        self._write = write
        self._began = began.astimezone(UTC)
        self._trace = Trace()

    def show(self, event: Event) -> None:
        """Writes `event`; a vertex is written whole at each change."""
        vertex, _ = self._trace.apply(event)
        if vertex is not None and not isinstance(event, BuildFinished):
            self._write(encode_json(self._status(vertex, event)).decode() + "\n")

    def tick(self, now: float) -> None:
        """Nothing: all is written already."""

    def close(self) -> None:
        """Nothing: all is written already."""

    def _status(self, vertex: VertexTrace, event: Event) -> _SolveStatus:
        match event:
            case VertexLog():
                return _SolveStatus(
                    logs=(_Log(event.digest, event.stream, event.data, self._time(event.at)),)
                )
            case VertexStatus():
                return _SolveStatus(statuses=(self._part(vertex, event),))
            case VertexWarning():
                detail = tuple(line.encode() for line in event.detail)
                return _SolveStatus(
                    warnings=(_Warning(event.digest, 1, event.short.encode(), detail, event.url),)
                )
            case _:
                return _SolveStatus(vertexes=(self._vertex(vertex),))

    def _part(self, vertex: VertexTrace, event: VertexStatus) -> _Status:
        started = next((part.started for part in vertex.parts.values() if part.label == event.id), event.at)
        return _Status(
            id=event.id,
            vertex=event.digest,
            total=event.total or 0,
            current=event.current,
            timestamp=self._time(event.at),
            started=self._time(started),
            completed=self._time(event.at) if event.done else None,
        )

    def _vertex(self, vertex: VertexTrace) -> _Vertex:
        outcome = vertex.outcome
        return _Vertex(
            digest=vertex.digest,
            name=vertex.name,
            started=self._time(vertex.started) if vertex.started is not None else None,
            completed=self._time(outcome.at) if outcome is not None else None,
            cached=isinstance(outcome, VertexCached),
            error=_error(outcome),
        )

    def _time(self, at: float) -> datetime:
        return self._began + timedelta(seconds=at)


def _error(outcome: VertexOutcome | None) -> str:
    match outcome:
        case VertexFailed():
            return outcome.error
        case VertexCanceled():
            return "context canceled"
        case _:
            return ""
