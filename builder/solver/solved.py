"""What a build knows of its steps when it is done, for those who want more of it than the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.cache.keys import definition_key
from builder.graph import Exec, File, Git, Http
from builder.solver.results import Layered
from builder.solver.scheduler import content_inputs
from builder.system.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from builder.graph import Vertex
    from builder.oci.digest import Digest
    from builder.snapshot.layerdb import LayerID
    from builder.solver.remotesteps import RemoteSteps
    from builder.solver.scheduler import Scheduler


class SolvedStep(Value, frozen=True):
    """A step of a build: the key of its result, and the definition that led to the key where that has a name.

    `layers` None: the result was not needed, and nothing here has it.
    """

    key: Digest
    definition: Digest | None
    layers: tuple[LayerID, ...] | None


def solved_steps(
    vertices: Iterable[Vertex], scheduler: Scheduler, remotes: RemoteSteps
) -> Iterator[tuple[Digest, SolvedStep]]:
    """The steps among `vertices`, and what was fetched for them, by the digest of the vertex."""
    for vertex in vertices:
        operation = vertex.operation
        key, result = scheduler.known(vertex)
        layers = result.layers if isinstance(result, Layered) else None
        match operation:
            case Http() | Git():
                key = remotes.keys.get(operation)
                if key is not None:
                    yield vertex.digest, SolvedStep(key, None, layers)
            case File() | Exec() if key is not None:
                yield (
                    vertex.digest,
                    SolvedStep(key, _definition(vertex, operation, scheduler, remotes), layers),
                )


def _definition(
    vertex: Vertex, operation: File | Exec, scheduler: Scheduler, remotes: RemoteSteps
) -> Digest | None:
    if not content_inputs(vertex):
        return None
    keys = remotes.known_keys(vertex, [scheduler.known(each)[0] for each in vertex.inputs])
    known = [each for each in keys if each is not None]
    return definition_key(operation, known) if len(known) == len(keys) else None
