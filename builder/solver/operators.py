"""The operators: how each kind of vertex gets its key and its result.

A step holds the lock of its key while it works, across all processes on the state root, and looks again before
it starts: what somebody else has just finished is not done twice.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol, TypeVar

from builder.cache.keys import (
    EMPTY,
    definition_key,
    exec_key,
    file_key,
    image_key,
    merge_key,
)
from builder.graph import Exec, File, Git, Http, Image, Local, Merge
from builder.snapshot.errors import PathNotFound
from builder.solver.errors import StepFailed
from builder.solver.results import Layered, LocalFiles
from builder.solver.scheduler import content_inputs
from builder.solver.trail import Trail
from builder.system.errors import Cancelled, DockyardError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from builder.cache.parts import Headers
    from builder.cache.records import CacheRecords
    from builder.graph import Vertex
    from builder.oci.digest import Digest
    from builder.progress.stream import Stream
    from builder.snapshot.context import ContextView
    from builder.snapshot.layerdb import LayerID
    from builder.snapshot.layers import Layers
    from builder.solver.filesteps import FileSteps
    from builder.solver.remotesteps import RemoteSteps
    from builder.solver.results import Result
    from builder.solver.runsteps import RunSteps
    from builder.system.locks import KeyLocks

_T = TypeVar("_T")


class Sources(Protocol):
    """Where graphs begin: images and directories of the caller."""

    def layers(self, operation: Image) -> tuple[LayerID, ...]:
        """The layers of the image, lowest first; none of them needs to be on this machine yet."""
        ...

    def local(self, operation: Local) -> ContextView:
        """The directory, without what the operation excludes."""
        ...


class Operators:
    """Keys and results of vertices. Safe to call from many threads."""

    def __init__(
        self,
        sources: Sources,
        files: FileSteps,
        open_runs: Callable[[], RunSteps],
        remotes: RemoteSteps,
        *,
        layers: Layers,
        records: CacheRecords,
        locks: KeyLocks,
        stream: Stream,
        cancelled: threading.Event,
        before_commands: Callable[[], Container[Digest]],
    ) -> None:
        """`open_runs` is called when a command must be looked into or run, or soon will be.

        `before_commands` gives the vertices whose results commands need.
        """
        self._sources = sources
        self._files = files
        self._open_runs = open_runs
        self._runs: RunSteps | None = None
        self._remotes = remotes
        self._layers = layers
        self._records = records
        self._locks = locks
        self._stream = stream
        self._cancelled = cancelled
        self._before_commands = before_commands
        self._unsaved: list[tuple[Vertex, Digest, Layered]] = []
        self._guard = threading.Lock()
        self.cached: set[Digest] = set()
        self.executed: set[Digest] = set()
        self.trail = Trail()

    def quick_key(self, vertex: Vertex, keys: Sequence[Digest | None], *, remembered: bool) -> Digest | None:
        """The key from definitions alone; None when a copy has to look at what it selects."""
        key = self._quick_key(vertex, keys, remembered=remembered)
        if key is not None:
            self.trail.note(vertex, key, keys)
        return key

    def _quick_key(self, vertex: Vertex, keys: Sequence[Digest | None], *, remembered: bool) -> Digest | None:
        operation = vertex.operation
        match operation:
            case Image():
                return image_key(operation)
            case Exec():
                if not content_inputs(vertex):
                    return exec_key(operation, _base_key(operation.base, keys))
                if remembered and None not in keys:
                    return self._records.find_definition(definition_key(operation, _all_known(keys)))
                return None
            case Merge():
                return merge_key(operation, [_known(key) for key in keys])
            case File():
                if not content_inputs(vertex):
                    return file_key(operation, _base_key(operation.base, keys), None)
                if remembered and None not in keys:
                    return self._records.find_definition(definition_key(operation, _all_known(keys)))
                return None
            case Local() | Http() | Git():
                return None

    def content_key(self, vertex: Vertex, keys: Sequence[Digest | None], results: Sequence[Result]) -> Digest:
        """The key of a step by the content it reads, remembered under its definition where that has a name."""
        operation = vertex.operation
        assert isinstance(operation, File | Exec)
        keys = self._remotes.known_keys(vertex, keys)
        if (key := self._of_fetched(vertex, operation, keys)) is not None:
            return key
        base = _base_key(operation.base, keys)
        headers: Headers
        if isinstance(operation, File):
            found = self._checksum(vertex, lambda: self._files.content(vertex, results))
            content, headers = found or (None, ())
            key = file_key(operation, base, content)
        else:
            inputs = dict(zip(content_inputs(vertex), results, strict=True))
            runs = self._opened_runs()
            content, headers = self._checksum(vertex, lambda: runs.content(vertex, operation, inputs))
            key = exec_key(operation, base, content)
        self.trail.note_content(vertex, key, keys, content, headers)
        if None not in keys:
            self._records.save_definition(definition_key(operation, _all_known(keys)), key)
        return key

    def _of_fetched(
        self, vertex: Vertex, operation: File | Exec, keys: Sequence[Digest | None]
    ) -> Digest | None:
        """The key that was found for the same commits and files of the network, which then need no look."""
        sources = [vertex.inputs[position].operation for position in content_inputs(vertex)]
        if None in keys or not all(isinstance(each, Http | Git) for each in sources):
            return None
        key = self._records.find_definition(definition_key(operation, _all_known(keys)))
        if key is not None:
            self.trail.note(vertex, key, keys)
        return key

    def lookup(self, vertex: Vertex, key: Digest) -> Result | None:
        """The result under `key`: of an image, the layers that it lists; of a step, what a record holds."""
        if isinstance(vertex.operation, Image):
            self._note_cached(vertex)
            return Layered(self._sources.layers(vertex.operation))
        return self._recorded(vertex, key)

    def seen(self, key: Digest) -> bool:
        """Whether a step of that key has been done before, even if its result is gone."""
        return self._records.knows(key)

    def execute(
        self, vertex: Vertex, key: Digest | None, results: Sequence[Result], *, fresh: bool
    ) -> Result:
        """Does the work of a vertex whose inputs have `results`."""
        operation = vertex.operation
        match operation:
            case Local():
                with self._stream.vertex(vertex.digest, vertex.description.name):
                    return LocalFiles(self._guarded(vertex, lambda: self._sources.local(operation)))
            case Http() | Git():
                if (found := self._remotes.fetched(operation)) is not None:
                    return found
                with self._stream.vertex(vertex.digest, vertex.description.name):
                    return self._guarded(vertex, lambda: self._remotes.fetch(operation))
            case Image():
                return Layered(self._sources.layers(operation))
            case Merge():
                stacks = [each.layers for each in results if isinstance(each, Layered)]
                return Layered(tuple(layer for stack in stacks for layer in stack))
            case File() | Exec():
                return self._guarded(vertex, lambda: self._step(vertex, _known(key), results, fresh=fresh))

    def finish(self, vertices: Sequence[Vertex]) -> None:
        """Saves what can be saved, and reports the steps of `vertices` that nobody had to ask for."""
        self.save_records()
        # Those that nobody had to look up are in use, too: they are what a change of the last step builds on.
        self._records.touch(self.trail.keys())
        for vertex in vertices:
            if vertex.digest not in self.executed and not isinstance(
                vertex.operation, Local | Http | Git | Merge
            ):
                self._note_cached(vertex)

    def save_records(self) -> None:
        """Writes the records whose layers have all got a form that lasts."""
        with self._guard:
            waiting, self._unsaved = self._unsaved, []
        for vertex, key, result in waiting:
            self._save(vertex, key, result)

    def _step(self, vertex: Vertex, key: Digest, results: Sequence[Result], *, fresh: bool) -> Result:
        def report_waiting() -> None:
            self._stream.started(vertex.digest, vertex.description.name)
            self._stream.log(vertex.digest, 2, b"waiting for another build that runs this step\n")

        with self._locks.hold(f"step {key}", cancelled=self._cancelled, on_wait=report_waiting):
            if not fresh and (found := self._recorded(vertex, key)) is not None:
                return found
            with self._stream.vertex(vertex.digest, vertex.description.name):
                result = self._guarded(vertex, lambda: self._make(vertex, results))
                self._save(vertex, key, result)
            self.executed.add(vertex.digest)
            return result

    def _make(self, vertex: Vertex, results: Sequence[Result]) -> Layered:
        operation = vertex.operation
        assert isinstance(operation, File | Exec)
        base = Layered() if operation.base is None else results[operation.base]
        assert isinstance(base, Layered)
        with self._layers.scratch() as scratch:
            if isinstance(operation, File):
                if vertex.digest in self._before_commands():
                    self._opened_runs().expect()
                copied = [results[position] for position in content_inputs(vertex)]
                layer = self._files.make(vertex, base, copied, scratch)
            else:
                inputs = dict(enumerate(results))
                layer = self._opened_runs().run(vertex, operation, base, inputs, scratch)
        return Layered((*base.layers, layer))

    def _opened_runs(self) -> RunSteps:
        with self._guard:
            if self._runs is None:
                self._runs = self._open_runs()
            return self._runs

    def _recorded(self, vertex: Vertex, key: Digest) -> Layered | None:
        layers = self._records.find(key)
        if layers is None:
            return None
        # Leased first: what a collector takes before that is seen to be gone, and nothing goes after it.
        self._layers.keep(layers)
        if not self._layers.usable(layers):
            return None
        self._note_cached(vertex)
        return Layered(layers)

    def _save(self, vertex: Vertex, key: Digest, result: Layered) -> None:
        if self._layers.durable(result.layers):
            self._records.save(key, result.layers, description=vertex.description.name)
        else:
            with self._guard:
                self._unsaved.append((vertex, key, result))

    def _note_cached(self, vertex: Vertex) -> None:
        with self._guard:
            known = vertex.digest in self.cached
            self.cached.add(vertex.digest)
        if not known:
            self._stream.cached(vertex.digest, vertex.description.name)

    def _checksum(self, vertex: Vertex, work: Callable[[], _T]) -> _T:
        """What `work` finds out about the content that `vertex` reads; a path that is missing is said so."""

        def look() -> _T:
            try:
                return work()
            except PathNotFound as error:
                problem = f"failed to calculate checksum of ref {vertex.digest.hex[:25]}: {error.message}"
                raise PathNotFound(f"failed to compute cache key: {problem}", hint=error.hint) from error

        return self._guarded(vertex, look)

    def _guarded(self, vertex: Vertex, work: Callable[[], _T]) -> _T:
        """What `work` returns; errors gain the place of the step in the Dockerfile."""
        try:
            return work()
        except (StepFailed, Cancelled):
            raise
        except DockyardError as error:
            raise StepFailed(vertex, error.message, hint=error.hint) from error
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            raise StepFailed(vertex, f"{error.strerror or error}{where}") from error


def _base_key(base: int | None, keys: Sequence[Digest | None]) -> Digest:
    return EMPTY if base is None else _known(keys[base])


def _known(key: Digest | None) -> Digest:
    if key is None:
        raise ValueError("a directory of the caller cannot be the root of a step")
    return key


def _all_known(keys: Sequence[Digest | None]) -> list[Digest]:
    return [_known(key) for key in keys]
