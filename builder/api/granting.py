"""What a graph may ask for, looked at before anything is done.

The executor asks again for each step that it runs; here it counts also for steps that the cache already has, so
that whether a build is allowed does not depend on what was built before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.executor.errors import ExecutorError
from builder.executor.grants import check_grants
from builder.graph import Exec, walk
from builder.solver.errors import StepFailed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from builder.graph import Target


def require_grants(targets: Iterable[Target], allow: frozenset[str]) -> None:
    """Returns when no step of `targets` asks for more than `allow`. Raises: StepFailed."""
    for vertex in walk(target.vertex for target in targets if target.vertex is not None):
        if isinstance(vertex.operation, Exec):
            try:
                check_grants(vertex.operation, allow)
            except ExecutorError as error:
                raise StepFailed(vertex, error.message, hint=error.hint) from error
