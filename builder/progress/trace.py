"""The state of a build as its events tell it: what each vertex is called, did, and said last.

Renderers differ in how they show this, not in what they know, so the events are folded here, once. Holds no
more output than the last lines of each vertex.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from builder.progress.events import (
    BuildFinished,
    VertexCached,
    VertexCanceled,
    VertexCompleted,
    VertexFailed,
    VertexLog,
    VertexQueued,
    VertexStarted,
    VertexStatus,
    VertexWarning,
)
from builder.progress.text import LineBuffer, one_line, printable

if TYPE_CHECKING:
    from builder.oci.digest import Digest
    from builder.progress.events import Event, VertexEvent, VertexOutcome

LAST_LINES: Final = 10
"""Log lines that are shown again when a step fails."""


class PartProgress:
    """One part of a vertex's work: a transfer, a layer being written."""

    __slots__ = ("current", "done", "ended", "label", "started", "total")

    def __init__(self, label: str, started: float) -> None:
        self.label = label
        self.started = started
        self.ended = started
        self.current = 0
        self.total: int | None = None
        self.done = False

    def update(self, event: VertexStatus) -> None:
        """Takes over what `event` says."""
        self.current, self.total, self.done, self.ended = event.current, event.total, event.done, event.at


class VertexTrace:
    """What is known of one vertex. `number` is 0 until it has started."""

    __slots__ = (
        "_buffers", "digest", "last_lines", "name", "number", "outcome", "parts", "started", "warnings", "worked",
    )  # fmt: skip

    def __init__(self, digest: Digest, name: str, *, keep_lines: int) -> None:
        self.digest = digest
        self.name = name
        self.number = 0
        self.started: float | None = None
        self.outcome: VertexOutcome | None = None
        self.worked = 0.0
        self.parts: dict[str, PartProgress] = {}
        self.warnings: list[VertexWarning] = []
        self.last_lines: deque[str] = deque(maxlen=keep_lines)
        self._buffers = {1: LineBuffer(), 2: LineBuffer()}

    @property
    def running(self) -> bool:
        """Started and not ended."""
        return self.started is not None and self.outcome is None

    def seconds(self, now: float) -> float:
        """Time spent in this vertex so far, all its runs together."""
        return self.worked + (now - self.started if self.running and self.started is not None else 0.0)

    def start(self, at: float, name: str) -> None:
        """Begins, or begins again after an end."""
        self.name, self.started, self.outcome = name, at, None

    def end(self, outcome: VertexOutcome) -> list[str]:
        """Takes the outcome; returns a last line of output that had no end."""
        lines = [line for buffer in self._buffers.values() for line in buffer.flush()]
        dated = self._dated(lines, outcome.at)
        if self.running and self.started is not None:
            self.worked += outcome.at - self.started
        self.started = outcome.at if self.started is None else self.started
        self.outcome = outcome
        if not isinstance(outcome, VertexFailed):
            self.last_lines.clear()
        return dated

    def log(self, event: VertexLog) -> list[str]:
        """The lines that `event` completes, each with the seconds since the start of the vertex."""
        return self._dated(self._buffers[event.stream].feed(event.data), event.at)

    def _dated(self, lines: list[str], at: float) -> list[str]:
        elapsed = at - (self.started if self.started is not None else at)
        # Four characters of time, whatever the magnitude, keep the column narrow.
        digits = 3 if elapsed < 10 else 2 if elapsed < 100 else 1
        dated = [f"{elapsed:.{digits}f} {line}" for line in lines]
        self.last_lines.extend(dated)
        return dated


class Trace:
    """All vertices of a build, numbered from 1 in the order in which they first started."""

    def __init__(self, *, keep_lines: int = LAST_LINES) -> None:
        self._keep_lines = keep_lines
        self._known: dict[Digest, VertexTrace] = {}
        self.vertices: list[VertexTrace] = []
        self.finished = False

    @property
    def total(self) -> int:
        """Vertices that are known to belong to the build."""
        return len(self._known)

    @property
    def completed(self) -> int:
        """Vertices that have ended."""
        return sum(1 for vertex in self.vertices if vertex.outcome is not None)

    def apply(self, event: Event) -> tuple[VertexTrace | None, list[str]]:
        """Takes in `event`; returns the vertex it is about and the log lines that it completes."""
        if isinstance(event, BuildFinished):
            self.finished = True
            return None, []
        vertex = self._vertex(event)
        return vertex, self._update(vertex, event)

    def _update(self, vertex: VertexTrace, event: VertexEvent) -> list[str]:
        match event:
            case VertexQueued():
                pass
            case VertexStarted():
                self._number(vertex)
                vertex.start(event.at, one_line(event.name))
            case VertexCached() | VertexCompleted() | VertexFailed() | VertexCanceled():
                self._number(vertex)
                if isinstance(event, VertexCached):
                    vertex.name = one_line(event.name)
                return vertex.end(event)
            case VertexLog():
                return vertex.log(event)
            case VertexStatus():
                label = one_line(event.id)
                vertex.parts.setdefault(label, PartProgress(label, event.at)).update(event)
            case VertexWarning():
                vertex.warnings.append(event)
        return []

    def _vertex(self, event: VertexEvent) -> VertexTrace:
        vertex = self._known.get(event.digest)
        if vertex is None:
            name = (
                event.name if isinstance(event, VertexQueued | VertexStarted | VertexCached) else event.digest
            )
            vertex = VertexTrace(event.digest, one_line(name), keep_lines=self._keep_lines)
            self._known[event.digest] = vertex
        return vertex

    def _number(self, vertex: VertexTrace) -> None:
        if not vertex.number:
            self.vertices.append(vertex)
            vertex.number = len(self.vertices)


def failure_report(trace: Trace) -> list[str]:
    """Lines that end the progress of a failed build: the name of each failed step and its last output."""
    lines: list[str] = []
    for vertex in trace.vertices:
        if isinstance(vertex.outcome, VertexFailed):
            lines += ["------", f" > {vertex.name}:", *vertex.last_lines, "------"]
    return lines


def warning_report(trace: Trace) -> list[str]:
    """Lines that sum up the warnings of a build; none when there were none."""
    warnings = [warning for vertex in trace.vertices for warning in vertex.warnings]
    if not warnings:
        return []
    count = f"{len(warnings)} warning{'s' if len(warnings) > 1 else ''}"
    return ["", f" {count} found (use dockyard --debug to expand):", *map(_warning, warnings)]


def expanded_warning_report(trace: Trace) -> list[str]:
    """The same with details, addresses and the lines of the Dockerfile that each warning is about."""
    from builder.graph.location import excerpt

    lines = warning_report(trace)[:1]
    for vertex in trace.vertices:
        for warning in vertex.warnings:
            lines += [_warning(warning), *map(printable, warning.detail)]
            lines += [f"More info: {one_line(warning.url)}"] if warning.url else []
            lines += [printable(excerpt(warning.location)), ""] if warning.location else []
    return lines


def _warning(warning: VertexWarning) -> str:
    line = f" (line {warning.location.first})" if warning.location else ""
    return f" - {one_line(warning.short)}{line}"
