"""How errors are shown: the excerpt of the Dockerfile first, then `ERROR:` and what to do about it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from builder.progress.text import printable
from builder.system.errors import Cancelled, DockyardError, UsageError

if TYPE_CHECKING:
    from types import TracebackType

    from builder.graph.location import Location

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes."""


def print_line(text: str) -> None:
    """Writes a line to standard error, without what could steer the terminal."""
    sys.stderr.write(printable(text) + "\n")


def print_error(error: DockyardError, *, prefix: str = "", debug: bool = False) -> int:
    """Shows `error` on standard error; returns the exit code that belongs to it."""
    if debug:
        _print_traceback(error)
    locations: tuple[Location, ...] = getattr(error, "locations", ())
    for location in locations:
        from builder.graph.location import excerpt

        print_line(excerpt(location))
    print_line(f"ERROR: {prefix}{error}")
    return exit_code(error)


def print_finding(error: DockyardError, *, file: str, debug: bool) -> None:
    """Shows an error that is the answer to a question: what it says, then its places in `file`, as buildx."""
    from builder.graph.location import excerpt

    if debug:
        _print_traceback(error)
    print_line(f"ERROR: {error}")
    for location in getattr(error, "locations", ()):
        print_line(excerpt(location, file=file))


def exit_code(error: DockyardError) -> int:
    """The exit code of a command that ended with `error`."""
    if isinstance(error, Cancelled):
        return INTERRUPTED
    return USAGE if isinstance(error, UsageError) else FAILED


def print_system_error(error: OSError, *, prefix: str = "", debug: bool = False) -> int:
    """Shows what the operating system refused, and about which file; returns the exit code."""
    if debug:
        _print_traceback(error)
    paths = [str(path) for path in (error.filename, error.filename2) if path is not None]
    print_line(f"ERROR: {prefix}" + ": ".join([*paths, error.strerror or str(error)]))
    return FAILED


def unexpected(kind: type[BaseException], error: BaseException, _traceback: TracebackType | None) -> None:
    """Says that dockyard itself is at fault; takes the place of Python's traceback."""
    print_line(
        f"ERROR: internal error: {kind.__name__}: {error}\n"
        "This is a fault of dockyard. Run `dockyard --debug ...` for details to report."
    )


def _print_traceback(error: BaseException) -> None:
    import traceback

    traceback.print_exception(error)
