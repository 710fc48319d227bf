"""What a terminal of a given size shows of a build, as rows of text: decided here, painted elsewhere.

Every vertex has one row, with the time at its right edge; a running one has its parts and its last output
below. When there is no room for all, finished vertices go first, oldest before newest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from builder.progress.events import VertexCached, VertexCanceled, VertexFailed
from builder.progress.plain import amount
from builder.progress.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.progress.trace import Trace, VertexTrace

Style: TypeAlias = Literal["header", "running", "done", "failed", "canceled", "warning", "output"]

LOG_LINES: Final = 6
"""Lines of output below a running vertex."""
_NARROWEST: Final = 20


class Row(msgspec.Struct, frozen=True):
    """One line of the screen; `text` fits its width."""

    text: str
    style: Style


class _Block(msgspec.Struct, frozen=True):
    rows: tuple[Row, ...]
    running: bool


def layout(trace: Trace, *, now: float, width: int, height: int | None) -> list[Row]:
    """The rows to show after `now` seconds; `height` None: all of them, without live output, for the end."""
    width = max(width, _NARROWEST)
    blocks = [_block(vertex, now, width, live=height is not None) for vertex in trace.vertices]
    rows = _fitting(blocks, height - 2) if height is not None else _rows(blocks)
    return [_header(trace, now, width), *rows]


def _header(trace: Trace, now: float, width: int) -> Row:
    finished = " FINISHED" if trace.finished and 0 < trace.completed == trace.total else ""
    text = f"[+] Building {now:.1f}s ({trace.completed}/{trace.total}){finished}"
    return Row(text[:width], "header")


def _block(vertex: VertexTrace, now: float, width: int, *, live: bool) -> _Block:
    name, style = _title(vertex)
    rows = [Row(_aligned(f" => {name}", vertex.seconds(now), width), style)]
    for part in vertex.parts.values():
        label = " ".join([f" => => {part.label}", *amount(part)])
        seconds = (part.ended if part.done or not vertex.running else now) - part.started
        rows.append(Row(_aligned(label, seconds, width), "done" if part.done else "running"))
    for warning in vertex.warnings:
        line = f" (line {warning.location.first})" if warning.location else ""
        rows.append(Row(_cut(f" => WARN: {one_line(warning.short)}{line}", width), "warning"))
    if live and vertex.running:
        last = list(vertex.last_lines)[-LOG_LINES:]
        rows += [Row(_cut(f" => => # {line.expandtabs(4)}", width), "output") for line in last]
    return _Block(tuple(rows), vertex.running)


def _title(vertex: VertexTrace) -> tuple[str, Style]:
    match vertex.outcome:
        case None:
            return vertex.name, "running"
        case VertexCached():
            return f"CACHED {vertex.name}", "done"
        case VertexFailed():
            return f"ERROR {vertex.name}", "failed"
        case VertexCanceled():
            return f"CANCELED {vertex.name}", "canceled"
        case _:
            return vertex.name, "done"


def _aligned(left: str, seconds: float, width: int) -> str:
    time = f" {seconds if seconds >= 0.05 else 0.0:.1f}s"
    return _cut(left, width - len(time)).ljust(width - len(time)) + time


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _fitting(blocks: Sequence[_Block], height: int) -> list[Row]:
    excess = sum(len(block.rows) for block in blocks) - max(height, 0)
    kept: list[_Block] = []
    for block in blocks:
        if excess > 0 and not block.running:
            excess -= len(block.rows)
        else:
            kept.append(block)
    if excess > 0:
        # Running vertices alone are too many: each keeps its own row before any keeps its output.
        kept = [_Block(block.rows[:1], block.running) for block in kept]
    return _rows(kept)[: max(height, 0)]


def _rows(blocks: Sequence[_Block]) -> list[Row]:
    return [row for block in blocks for row in block.rows]
