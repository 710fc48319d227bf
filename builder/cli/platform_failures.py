"""Platforms that failed alone, shown one after the other: which, where, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.cli.report import FAILED, print_error, print_line, print_system_error
from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.api.options import BuildResult
    from builder.solver.results import PlatformFailure


def print_failures(failures: Sequence[PlatformFailure], *, debug: bool) -> None:
    """Shows `failures` on standard error; what several platforms needed is shown once, with their names."""
    platforms: dict[int, list[str]] = {}
    for failure in failures:
        platforms.setdefault(id(failure.error), []).append(str(failure.platform))
    errors = {id(failure.error): failure.error for failure in failures}
    for identity, error in errors.items():
        prefix = f"{', '.join(platforms[identity])}: "
        if isinstance(error, DockyardError):
            print_error(error, prefix=prefix, debug=debug)
        else:
            print_system_error(error, prefix=prefix, debug=debug)


def report_partial(result: BuildResult, *, debug: bool) -> int:
    """Says what a delivered result lacks; returns the exit code."""
    print_failures(result.failures, debug=debug)
    missing = ", ".join(str(failure.platform) for failure in result.failures)
    print_line(f"WARNING: the result was delivered without {missing}")
    return FAILED
