"""Run steps: a command in a container, and the layer that it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.executor import Step
from builder.solver.errors import ProcessFailed

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from builder.executor import Executor
    from builder.graph import Exec, Vertex
    from builder.progress.stream import Stream
    from builder.snapshot.layerdb import LayerID
    from builder.snapshot.layers import Layers
    from builder.solver.results import Layered


class RunSteps:
    """Runs commands on stacks of layers."""

    def __init__(
        self, layers: Layers, executor: Executor, stream: Stream, cancelled: threading.Event
    ) -> None:
        self._layers = layers
        self._executor = executor
        self._stream = stream
        self._cancelled = cancelled

    def run(self, vertex: Vertex, operation: Exec, base: Layered, scratch: Path) -> LayerID:
        """The layer that the command of `vertex` makes on top of `base`.

        `scratch` is an empty directory beside the trees. Raises: ProcessFailed, DockyardError, Cancelled.
        """
        lowest_first = self._layers.trees(base.layers)
        upper, work = scratch / "upper", scratch / "work"
        upper.mkdir()
        work.mkdir()
        step = Step(operation=operation, lower=tuple(reversed(lowest_first)), upper=upper, work=work)
        exit_code = self._executor.run(
            step,
            on_output=lambda source, output: self._stream.log(
                vertex.digest, 1 if source == 1 else 2, output
            ),
            cancelled=self._cancelled,
        )
        if exit_code != 0:
            raise ProcessFailed(vertex, operation, exit_code)
        return self._layers.adopt(upper)
