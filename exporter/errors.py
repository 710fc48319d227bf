"""What can go wrong with an export.

├── InvalidOutput (UsageError)    an output specification that means nothing, or a destination that cannot be
└── ExportError (DockyardError)   results that cannot become what was asked for
    └── OutputsFailed             some of several outputs failed
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.system.errors import DockyardError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

REFUSED_INDEX: Final = "docker exporter does not currently support exporting manifest lists"


class InvalidOutput(UsageError):
    """An `--output` or `--annotation` that is wrong, found before any work."""


class ExportError(DockyardError):
    """The results of a build do not make what was asked for, or cannot be put where it should be."""


class OutputsFailed(ExportError):
    """Some of several outputs failed; the others are where they were wanted."""

    def __init__(self, failures: Sequence[tuple[str, Exception]], delivered: Sequence[str]) -> None:
        """`failures`: what each output that failed is called, and why it did."""
        lines = [f"{len(failures)} of {len(failures) + len(delivered)} outputs failed"]
        lines += [f"{output}: {reason}" for output, reason in failures]
        super().__init__("\n".join(lines), hint=f"delivered: {', '.join(delivered) or 'none'}")
