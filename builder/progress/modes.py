"""Which renderer a build gets, from the flag, the environment and the kind of output there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TextIO, TypeAlias, get_args

from builder.progress.renderer import Renderer, Silent
from builder.system.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Mode: TypeAlias = Literal["plain", "tty", "quiet", "rawjson", "none"]

MODES: Final = ("auto", *get_args(Mode))
ENVIRONMENT: Final = ("DOCKYARD_PROGRESS", "BUILDKIT_PROGRESS")
"""Variables that replace `auto`, the first that is set."""


def choose_mode(flag: str, environ: Mapping[str, str], *, is_terminal: bool) -> Mode:
    """The mode that `flag` (one of MODES) means here.

    Raises: UsageError for an unknown mode, also from the environment, and for `tty` without a terminal.
    """
    name = flag
    if flag == "auto":
        name = next((environ[variable] for variable in ENVIRONMENT if environ.get(variable)), "auto")
    match name:
        case "auto":
            return "tty" if is_terminal else "plain"
        case "tty" if not is_terminal:
            raise UsageError("progress mode tty: standard error is not a terminal")
        case "plain" | "tty" | "quiet" | "rawjson" | "none":
            return name
        case _:
            raise UsageError(f"invalid progress mode {name!r}", hint=f"modes: {', '.join(MODES)}")


def open_renderer(mode: Mode, output: TextIO, *, debug: bool = False) -> Renderer:
    """A renderer that writes to `output`; `debug` expands warnings. Loads no other renderer than this one."""
    match mode:
        case "quiet" | "none":
            return Silent()
        case "rawjson":
            from datetime import UTC, datetime

            from builder.progress.rawjson import RawJsonRenderer

            return RawJsonRenderer(_writer(output), began=datetime.now(UTC))
        case "plain" | "tty":
            from builder.progress.trace import expanded_warning_report, failure_report, warning_report

            reports = (failure_report, expanded_warning_report if debug else warning_report)
            if mode == "tty":
                from builder.progress.tty import TtyRenderer

                return TtyRenderer(output, reports=reports)
            from builder.progress.plain import PlainRenderer

            return PlainRenderer(_writer(output), reports=reports)


def _writer(output: TextIO) -> Callable[[str], None]:
    def write(text: str) -> None:
        output.write(text)
        output.flush()

    return write
