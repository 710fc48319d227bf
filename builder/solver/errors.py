"""What ends a build while it is being solved.

StepFailed          a step could not be done; wraps the reason and adds the place in the Dockerfile
└── ProcessFailed   the command of a RUN was not started, or ended with another code than 0
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.graph.location import LocatedError
from builder.system.quoting import quote

if TYPE_CHECKING:
    from builder.graph import Exec, Vertex
    from builder.oci.digest import Digest


class StepFailed(LocatedError):
    """A step could not be done. `digest` is its vertex."""

    def __init__(self, vertex: Vertex, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, location=vertex.description.location, hint=hint)
        self.digest: Digest = vertex.digest


class ProcessFailed(StepFailed):
    """The command of a step did not run to a good end, for `reason`.

    `exit_code` is None for a command that was never started.
    """

    def __init__(
        self,
        vertex: Vertex,
        operation: Exec,
        reason: str,
        *,
        exit_code: int | None = None,
        hint: str | None = None,
    ) -> None:
        command = quote(" ".join(operation.args))
        super().__init__(vertex, f"process {command} did not complete successfully: {reason}", hint=hint)
        self.exit_code = exit_code
