"""File steps: COPY, ADD and WORKDIR, from what they select to a layer.

What a copy selects is found once and serves both its key and its layer. A layer that the result will be
exported with becomes a blob here, in the step, so that steps of several branches compress side by side and the
record under the key is there for whoever waits for it. One that nobody exports stays a recipe until a RUN needs
to see its files.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from builder.graph import File
from builder.snapshot.copy import FilePlan
from builder.solver.results import Layered, LocalFiles
from builder.solver.scheduler import content_inputs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from builder.graph import Vertex
    from builder.oci.digest import Digest
    from builder.progress.stream import Stream
    from builder.snapshot.digests import FileDigests
    from builder.snapshot.entry import FileView
    from builder.snapshot.layerdb import Format, LayerID
    from builder.snapshot.layers import Layers
    from builder.snapshot.limits import UnpackLimits
    from builder.snapshot.selection import Listing
    from builder.solver.results import Result

_WRITING: Final = "writing layer"


class FileSteps:
    """Does file operations. `exported` are the vertices whose layers get `layer_format` as soon as they exist."""

    def __init__(
        self,
        layers: Layers,
        digests: FileDigests,
        stream: Stream,
        *,
        now_ns: int,
        exported: frozenset[Digest],
        layer_format: Format | None,
        limits: UnpackLimits,
    ) -> None:
        self._layers = layers
        self._digests = digests
        self._stream = stream
        self._now_ns = now_ns
        self._exported = exported
        self._format = layer_format
        self._limits = limits
        self._plans: dict[Digest, FilePlan] = {}
        self._lock = threading.Lock()

    def content(self, vertex: Vertex, results: Sequence[Result]) -> tuple[Digest, Listing] | None:
        """Digest of all that the copies of `vertex` select, and its parts.

        `results` are as `content_inputs` lists them.
        """
        plan = self._plan(vertex, results)
        self._digests.learn(plan.files())
        return plan.content_key(self._digests.of)

    def make(self, vertex: Vertex, base: Layered, results: Sequence[Result], scratch: Path) -> LayerID:
        """The layer that `vertex` makes on top of `base`."""
        plan = self._plan(vertex, results)
        below = self._layers.view(base.layers, content=plan.needs_accounts)
        layer = self._layers.recipe(plan.nodes(below, now_ns=self._now_ns, scratch=scratch))
        if any(scratch.iterdir()):
            # An archive was laid out there, and goes with the step: its files must not stay where they are.
            self._layers.settle((*base.layers, layer))
        if self._format is not None and vertex.digest in self._exported:
            self._write_blob(vertex, layer, self._format)
        return layer

    def _write_blob(self, vertex: Vertex, layer: LayerID, layer_format: Format) -> None:
        written = 0

        def report(done: int) -> None:
            nonlocal written
            written = done
            self._stream.status(vertex.digest, _WRITING, current=done)

        self._layers.blob(layer, layer_format, progress=report)
        if written:
            self._stream.status(vertex.digest, _WRITING, current=written, done=True)

    def _plan(self, vertex: Vertex, results: Sequence[Result]) -> FilePlan:
        operation = vertex.operation
        assert isinstance(operation, File)
        with self._lock:
            plan = self._plans.get(vertex.digest)
        if plan is None:
            sources: list[FileView | None] = [None] * len(vertex.inputs)
            for position, result in zip(content_inputs(vertex), results, strict=True):
                sources[position] = self._view(result)
            plan = FilePlan(operation, sources, self._limits)
            with self._lock:
                plan = self._plans.setdefault(vertex.digest, plan)
        return plan

    def _view(self, result: Result) -> FileView:
        if isinstance(result, LocalFiles):
            return result.view
        return self._layers.view(result.layers, content=True)
