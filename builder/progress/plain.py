"""Progress as lines for a log file, in the form that buildx prints.

Vertices run side by side, but a reader wants blocks: one vertex has the floor and writes as it goes; lines of
the others wait until it ends, or until they have waited long enough. Leaving a vertex that still runs is
marked with `#N ...`, coming back with its name. What happens within a tenth of a second is put in order
first, so that quick vertices come out in one piece each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.progress.events import (
    VertexCached,
    VertexCanceled,
    VertexCompleted,
    VertexFailed,
    VertexStarted,
    VertexStatus,
    VertexWarning,
)
from builder.progress.text import one_line, printable
from builder.progress.trace import Trace, VertexTrace, failure_report, warning_report
from builder.progress.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from builder.progress.events import Event
    from builder.progress.trace import PartProgress

_BATCH: Final = 0.1
_TURN: Final = 5.0
"""Seconds that a vertex keeps the floor while others have something to say."""
_STATUS_INTERVAL: Final = 5.0
_STATUS_STEP: Final = 0.05


class _Waiting:
    """Lines of a vertex that are not printed yet."""

    __slots__ = ("lines", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.lines: list[str] = []


class PlainRenderer:
    """Writes lines to `write`, which takes whole texts and is called a few times a second at most.

    `reports` make the closing lines from the trace.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        *,
        reports: tuple[Callable[[Trace], list[str]], ...] = (failure_report, warning_report),
    ) -> None:
        self._write = write
        self._reports = reports
        self._trace = Trace()
        self._waiting: dict[VertexTrace, _Waiting] = {}
        self._speaker: VertexTrace | None = None
        self._turn_began = 0.0
        self._flushed = 0.0
        self._now = 0.0
        self._shown_parts: dict[tuple[VertexTrace, str], tuple[int, float]] = {}
        self._out: list[str] = []
        self._first = True

    def show(self, event: Event) -> None:
        """Takes in `event`; prints when a tenth of a second has passed since the last time."""
        vertex, lines = self._trace.apply(event)
        if vertex is not None and vertex.number:
            lines += self._lines(vertex, event)
            if lines or isinstance(event, VertexStarted):
                self._waiting.setdefault(vertex, _Waiting(event.at)).lines += lines
        self.tick(event.at)

    def tick(self, now: float) -> None:
        """Prints what may be printed by now."""
        self._now = max(now, self._now)
        if now - self._flushed >= _BATCH:
            self._flush()

    def close(self) -> None:
        """Prints all that is left, the failed step's last lines, and the warnings."""
        self._flush()
        for vertex in sorted(self._waiting, key=lambda vertex: vertex.number):
            self._print(vertex)
        for report in self._reports:
            self._out += report(self._trace)
        self._emit()

    def _flush(self) -> None:
        self._flushed = self._now
        ended = [vertex for vertex in self._waiting if vertex.outcome is not None]
        for vertex in sorted(ended, key=lambda vertex: (vertex is not self._speaker, _ended_at(vertex))):
            self._print(vertex)
        if self._speaker in self._waiting:
            self._print(self._speaker)
        if (successor := self._next_speaker()) is not None:
            self._print(successor)
        self._emit()

    def _next_speaker(self) -> VertexTrace | None:
        patient = min(self._waiting, key=lambda vertex: self._waiting[vertex].since, default=None)
        if self._speaker is None:
            return patient or next((vertex for vertex in self._trace.vertices if vertex.running), None)
        if patient is not None:
            asked = max(self._turn_began, self._waiting[patient].since)
            return patient if self._now - asked >= _TURN else None
        return None

    def _print(self, vertex: VertexTrace) -> None:
        if vertex is not self._speaker:
            self._give_floor(vertex)
        waiting = self._waiting.pop(vertex, None)
        self._out += [f"#{vertex.number} {line}" for line in (waiting.lines if waiting else ())]
        if vertex.outcome is not None:
            self._speaker = None

    def _give_floor(self, vertex: VertexTrace) -> None:
        if self._speaker is not None:
            self._out.append(f"#{self._speaker.number} ...")
        if not self._first:
            self._out.append("")
        self._first = False
        self._speaker, self._turn_began = vertex, self._now
        self._out.append(f"#{vertex.number} {vertex.name}")

    def _emit(self) -> None:
        if self._out:
            text = "\n".join(self._out) + "\n"
            self._out = []
            self._write(text)

    def _lines(self, vertex: VertexTrace, event: Event) -> list[str]:
        match event:
            case VertexStatus():
                return self._part_lines(vertex, vertex.parts[one_line(event.id)])
            case VertexWarning():
                line = f" (line {event.location.first})" if event.location else ""
                return [f"WARN: {one_line(event.short)}{line}"]
            case VertexCached():
                return ["CACHED"]
            case VertexCompleted():
                return [f"DONE {event.seconds:.1f}s"]
            case VertexFailed():
                return [f"ERROR: {printable(event.error)}"]
            case VertexCanceled():
                return ["CANCELED"]
            case _:
                return []

    def _part_lines(self, vertex: VertexTrace, part: PartProgress) -> list[str]:
        key = (vertex, part.label)
        if not part.done and key in self._shown_parts:
            current, at = self._shown_parts[key]
            grown = (part.current - current) / part.total if part.total else 0.0
            if grown < _STATUS_STEP and part.ended - at < _STATUS_INTERVAL:
                return []
        self._shown_parts[key] = (part.current, part.ended)
        return [describe_part(part)]


def describe_part(part: PartProgress) -> str:
    """`transferring context: 1.05kB / 2.10kB 0.3s done`: label, bytes, time, state."""
    words = [part.label, *amount(part)]
    if part.ended - part.started > 0.01:
        words.append(f"{part.ended - part.started:.1f}s")
    return " ".join([*words, "done"] if part.done else words)


def amount(part: PartProgress) -> list[str]:
    """Bytes done and, where it is known, in all; nothing to say when there are none."""
    if part.total:
        return [f"{format_bytes(part.current)} / {format_bytes(part.total)}"]
    return [format_bytes(part.current)] if part.current else []


def _ended_at(vertex: VertexTrace) -> float:
    return vertex.outcome.at if vertex.outcome is not None else 0.0
