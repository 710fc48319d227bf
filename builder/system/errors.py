"""The tree of dockyard's errors.

    DockyardError            what failed, where, and what to do; ends a command with exit code 1
    ├── UsageError           the command line or an option is wrong; exit code 2
    ├── Unsupported          valid input that dockyard does not do (yet, or on this machine)
    └── Cancelled            somebody asked the build to stop; exit code 130

Rooms derive their own classes from these. Only `builder.cli` prints them and chooses exit codes.
"""

from __future__ import annotations


class DockyardError(Exception):
    """Something failed that the reader can act upon.

    `message` says what failed and where; `hint`, when there is one, what to do about it.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(DockyardError):
    """The command or an option was used wrongly."""


class Unsupported(DockyardError):
    """Valid input that dockyard cannot serve here; the message says why."""


class Cancelled(DockyardError):
    """The build was asked to stop before it was done."""

    def __init__(self, message: str = "the build was cancelled") -> None:
        super().__init__(message)
