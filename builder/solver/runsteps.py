"""Run steps: a command in a container, and the layer that it leaves."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from builder.solver.errors import ProcessFailed

if TYPE_CHECKING:
    from collections.abc import Callable
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
        self,
        layers: Layers,
        open_executor: Callable[[], Executor],
        stream: Stream,
        cancelled: threading.Event,
    ) -> None:
        self._layers = layers
        self._open_executor = open_executor
        self._executor: Executor | None = None
        self._stream = stream
        self._cancelled = cancelled
        self._guard = threading.Lock()

    def run(self, vertex: Vertex, operation: Exec, base: Layered, scratch: Path) -> LayerID:
        """The layer that the command of `vertex` makes on top of `base`.

        `scratch` is an empty directory beside the trees. Raises: ProcessFailed, DockyardError, Cancelled.
        """
        # Loaded here because a build that finds everything in the cache starts no container.
        from builder.executor import Step

        lowest_first = self._layers.trees(base.layers)
        upper, work = scratch / "upper", scratch / "work"
        upper.mkdir()
        work.mkdir()
        step = Step(operation=operation, lower=tuple(reversed(lowest_first)), upper=upper, work=work)
        exit_code = self._started().run(
            step,
            on_output=lambda source, output: self._stream.log(vertex.digest, 1 if source == 1 else 2, output),
            cancelled=self._cancelled,
        )
        if exit_code != 0:
            raise ProcessFailed(vertex, operation, exit_code)
        return self._layers.adopt(upper)

    def _started(self) -> Executor:
        with self._guard:
            if self._executor is None:
                self._executor = self._open_executor()
            return self._executor
