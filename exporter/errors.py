"""What can go wrong with an export.

├── InvalidOutput (UsageError)    an output specification that means nothing, or a destination that cannot be
└── ExportError (DockyardError)   results that cannot become the image that was asked for
"""

from __future__ import annotations

from builder.system.errors import DockyardError, UsageError


class InvalidOutput(UsageError):
    """An `--output` or `--annotation` that is wrong, found before any work."""


class ExportError(DockyardError):
    """The results of a build do not make the image that was asked for."""
