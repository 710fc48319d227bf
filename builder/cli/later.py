"""What the contract of the command names and a later release brings: said plainly, never half done."""

from __future__ import annotations

from builder.system.errors import UsageError


def not_supported(what: str, hint: str | None = None) -> UsageError:
    """The error of asking for `what`."""
    return UsageError(f"{what} is not supported yet", hint=hint)
