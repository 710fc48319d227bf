"""What ends a build while it is being solved.

StepFailed          a step could not be done; wraps the reason and adds the place in the Dockerfile
└── ProcessFailed   the command of a RUN ended with another code than 0
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.graph.location import LocatedError

if TYPE_CHECKING:
    from builder.graph import Exec, Vertex
    from builder.oci.digest import Digest


class StepFailed(LocatedError):
    """A step could not be done. `digest` is its vertex."""

    def __init__(self, vertex: Vertex, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, location=vertex.description.location, hint=hint)
        self.digest: Digest = vertex.digest


class ProcessFailed(StepFailed):
    """The command of a step ended with `exit_code`, which is not 0."""

    def __init__(self, vertex: Vertex, operation: Exec, exit_code: int) -> None:
        command = " ".join(operation.args)
        super().__init__(vertex, f'process "{command}" did not complete successfully: exit code: {exit_code}')
        self.exit_code = exit_code
