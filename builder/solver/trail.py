"""The trail of one build: what each key was made of, and what became of each step.

Kept so that the next build can say what moved. Noting costs a few references for each step; what is written at the
end is only what no earlier build has left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.cache.history import BuiltStep
from builder.cache.keys import RULES
from builder.cache.parts import Parts
from builder.graph import Exec, File, Image, Merge
from builder.graph.vertex import cacheable
from builder.system.values import Value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from builder.cache.history import State
    from builder.cache.parts import Headers, PartsTable
    from builder.graph import Vertex
    from builder.oci.digest import Digest


class _Noted(Value, frozen=True):
    vertex: Vertex
    key: Digest
    inputs: tuple[Digest | None, ...]
    content: Digest | None = None
    headers: Headers = ()


class Trail:
    """What the operators of one build found out. Safe to write to from many threads."""

    def __init__(self) -> None:
        self._noted: dict[Digest, _Noted] = {}
        self.failed: set[Digest] = set()

    def note(self, vertex: Vertex, key: Digest, inputs: Sequence[Digest | None]) -> None:
        """`vertex` has `key`, known without looking at content."""
        self._noted[vertex.digest] = _Noted(vertex, key, tuple(inputs))

    def note_content(
        self,
        vertex: Vertex,
        key: Digest,
        inputs: Sequence[Digest | None],
        content: Digest | None,
        headers: Headers,
    ) -> None:
        """`vertex` has `key` because of `content`, whose parts are `headers`."""
        self._noted[vertex.digest] = _Noted(vertex, key, tuple(inputs), content, headers)

    def keys(self) -> set[Digest]:
        """All keys that were found out."""
        return {noted.key for noted in self._noted.values()}

    def steps(
        self, vertices: Iterable[Vertex], *, executed: Collection[Digest], cached: Collection[Digest]
    ) -> tuple[BuiltStep, ...]:
        """The steps among `vertices`, which come inputs first, and what became of each."""
        places: dict[Digest, int] = {}
        steps: list[BuiltStep] = []
        for vertex in vertices:
            if not isinstance(vertex.operation, Image | File | Exec | Merge):
                continue
            places[vertex.digest] = len(steps)
            steps.append(self._step(vertex, places, executed=executed, cached=cached))
        return tuple(steps)

    def save(self, table: PartsTable, *, executed: Collection[Digest]) -> None:
        """Writes the parts of all keys that have none yet, and the listings of what was done."""
        unknown = table.unknown(noted.key for noted in self._noted.values())
        fresh = [noted for noted in self._noted.values() if noted.key in unknown]
        # A step that was found in the cache by its definition was not looked at: another build has its content.
        complete = [noted for noted in fresh if noted.content is not None or not _copies(noted)]
        table.save([(noted.key, _parts(noted)) for noted in complete])
        for noted in self._noted.values():
            if noted.vertex.digest in executed and noted.content is not None:
                table.save_listing(noted.content, noted.headers)

    def _step(
        self,
        vertex: Vertex,
        places: dict[Digest, int],
        *,
        executed: Collection[Digest],
        cached: Collection[Digest],
    ) -> BuiltStep:
        noted = self._noted.get(vertex.digest)
        state: State = "unreached"
        if vertex.digest in self.failed:
            state = "failed"
        elif vertex.digest in executed:
            state = "executed"
        elif vertex.digest in cached:
            state = "cached"
        description = vertex.description
        return BuiltStep(
            name=description.name,
            stage=description.stage,
            line=description.location.first if description.location is not None else 0,
            key=noted.key if noted is not None else None,
            inputs=tuple(places[each.digest] for each in vertex.inputs if each.digest in places),
            state=state,
            is_image=isinstance(vertex.operation, Image),
            ignored_cache=description.ignore_cache,
        )


def _parts(noted: _Noted) -> Parts:
    return Parts(
        rules=RULES,
        operation=cacheable(noted.vertex.operation),
        inputs=noted.inputs,
        content=noted.content,
    )


def _copies(noted: _Noted) -> bool:
    # Imported here to keep the two modules from needing each other.
    from builder.solver.scheduler import content_inputs

    return bool(content_inputs(noted.vertex))
