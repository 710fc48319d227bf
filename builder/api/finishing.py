"""Platforms that fail when they are made ready for delivery: layers that cannot be had, scans that fail.

Where platforms fail alone, each is made ready by itself before the first output is written: so an output finds only
what can be delivered, and what fails is known while nothing has been. All that is made here is found again by
the outputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from builder.api.built import Built
from builder.api.exporting import Export
from builder.oci.digest import Digest
from builder.solver.results import PlatformFailure
from builder.solver.workers import in_parallel
from builder.system.errors import Cancelled, DockyardError
from exporter.outputs import CacheOnlyOutput

if TYPE_CHECKING:
    from collections.abc import Iterable

    from builder.api.destinations import Destinations
    from builder.api.sboms import Sboms
    from builder.api.workspace import Workspace
    from builder.progress.stream import Stream
    from builder.solver.solve import Solution

_PARALLEL: Final = 2
"""Platforms at once: what they wait for is compressed by several threads already."""


def finished(
    solution: Solution, workspace: Workspace, stream: Stream, destinations: Destinations, sboms: Sboms | None
) -> Solution:
    """`solution` without the platforms that cannot be made ready for `destinations`, which are failures then.

    Optional outputs may fail later, as they always may. Raises: Cancelled.
    """
    outputs = [
        each for each in destinations.outputs if not (each.optional or isinstance(each, CacheOnlyOutput))
    ]
    if not outputs:
        return solution
    failures: dict[int, DockyardError | OSError] = {}

    def finish(position: int) -> None:
        one = _only(solution, [position])
        name = f"[internal] make {one.targets[0].platform} ready for delivery"
        export = Export(Built(one.targets, one, workspace), stream, destinations)
        try:
            with stream.vertex(Digest.of(name.encode()), name):
                for output in outputs:
                    export.prepare(output)
            if sboms is not None:
                sboms.scan(one)
        except Cancelled:
            raise
        except (DockyardError, OSError) as error:
            failures[position] = error

    in_parallel(_PARALLEL, range(len(solution.targets)), finish)
    failed = [
        PlatformFailure(solution.targets[each].platform, error) for each, error in sorted(failures.items())
    ]
    left = _only(solution, [each for each in range(len(solution.targets)) if each not in failures])
    return replace(left, failures=(*solution.failures, *failed))


def _only(solution: Solution, positions: Iterable[int]) -> Solution:
    """What `solution` has of the targets at `positions`."""
    positions = tuple(positions)
    return replace(
        solution,
        targets=tuple(solution.targets[each] for each in positions),
        stacks=tuple(solution.stacks[each] for each in positions),
        extras=tuple(solution.extras[each] for each in positions),
    )
