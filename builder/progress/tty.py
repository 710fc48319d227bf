"""Progress on a terminal: the rows of `builder.progress.rows`, painted over themselves as time goes by.

Loaded only when there is a terminal, because rich takes longer to import than a cached build may take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from builder.progress.rows import Row, Style, layout
from builder.progress.trace import Trace, failure_report, warning_report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from builder.progress.events import Event

_REDRAW: Final = 0.1
_KEPT_LINES: Final = 500
"""Output lines of a failed step that are shown at the end: unlike in a log file, none were shown before."""
_STYLES: Final[Mapping[Style, str]] = {
    "header": "",
    "running": "",
    "done": "blue",
    "failed": "red",
    "canceled": "yellow",
    "warning": "yellow",
    "output": "dim",
}


class TtyRenderer:
    """Paints on `terminal`; colours follow NO_COLOR."""

    def __init__(
        self,
        terminal: TextIO,
        *,
        reports: tuple[Callable[[Trace], list[str]], ...] = (failure_report, warning_report),
    ) -> None:
        self._trace = Trace(keep_lines=_KEPT_LINES)
        self._reports = reports
        self._console = Console(file=terminal, highlight=False, markup=False, emoji=False)
        # Redirection would send standard output, where results go, through the terminal.
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._now = 0.0
        self._drawn = -_REDRAW

    def show(self, event: Event) -> None:
        """Takes in `event`; paints ten times a second at most."""
        self._trace.apply(event)
        self._now = max(self._now, event.at)
        if self._now - self._drawn >= _REDRAW:
            self._draw()

    def tick(self, now: float) -> None:
        """Paints: the times have moved."""
        self._now = max(self._now, now)
        self._draw()

    def close(self) -> None:
        """Paints everything a last time, then the failed step's output and the warnings."""
        if self._drawn >= 0:
            self._live.vertical_overflow = "visible"
            self._live.update(self._painted(height=None), refresh=True)
            self._live.stop()
        for report in self._reports:
            for line in report(self._trace):
                self._console.print(Text(line), soft_wrap=True)

    def _draw(self) -> None:
        if self._drawn < 0:
            self._live.start()
        self._drawn = self._now
        self._live.update(self._painted(height=self._console.height), refresh=True)

    def _painted(self, *, height: int | None) -> Group:
        rows = layout(self._trace, now=self._now, width=self._console.width, height=height)
        return Group(*(_text(row) for row in rows))


def _text(row: Row) -> Text:
    return Text(row.text, style=_STYLES[row.style], no_wrap=True, overflow="crop")
