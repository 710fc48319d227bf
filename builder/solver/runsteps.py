"""Run steps: a command in a container, and the layer that it leaves."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

from builder.solver.errors import ProcessFailed
from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from builder.executor import Executor
    from builder.executor.secrets import SecretFile
    from builder.graph import Exec, Vertex
    from builder.oci.digest import Digest
    from builder.progress.stream import Stream
    from builder.snapshot.layerdb import LayerID
    from builder.snapshot.layers import Layers
    from builder.solver.mountsteps import MountSteps
    from builder.solver.results import Layered, Result


class RunSteps:
    """Runs commands on stacks of layers."""

    def __init__(
        self,
        layers: Layers,
        open_executor: Callable[[], Executor],
        stream: Stream,
        cancelled: threading.Event,
        *,
        secrets: Mapping[str, bytes | Callable[[], bytes]],
        mounts: MountSteps,
    ) -> None:
        self._layers = layers
        self._open_executor = open_executor
        self._executor: Executor | None = None
        self._stream = stream
        self._cancelled = cancelled
        self._secrets = secrets
        self._mounts = mounts
        self._guard = threading.Lock()

    def expect(self) -> None:
        """Begins to start what commands need, while something else is still being done for them."""
        self._started().prepare()

    def content(
        self, vertex: Vertex, operation: Exec, inputs: Mapping[int, Result]
    ) -> tuple[Digest, list[bytes]]:
        """Digest of all that the command sees through mounts of `inputs`, by position, and its parts.

        Raises: DockyardError.
        """
        return self._mounts.content(vertex, operation, inputs)

    def run(
        self, vertex: Vertex, operation: Exec, base: Layered, inputs: Mapping[int, Result], scratch: Path
    ) -> LayerID:
        """The layer that the command of `vertex` makes on top of `base`, with `inputs` to mount, by position.

        `scratch` is an empty directory beside the trees. Raises: ProcessFailed, DockyardError, Cancelled.
        """
        # Loaded here because a build that finds everything in the cache starts no container.
        from builder.executor import Step, StepNotStarted
        from builder.executor.secrets import SecretFile

        self.expect()
        lowest_first = self._layers.trees(base.layers)
        upper, work = scratch / "upper", scratch / "work"
        upper.mkdir()
        work.mkdir()
        files, variables = self._reveal(operation)
        scripts = tuple(
            SecretFile(each.target, each.content.encode(), mode=0o755) for each in operation.scripts
        )
        with ExitStack() as stack:
            step = Step(
                operation=operation,
                lower=tuple(reversed(lowest_first)),
                upper=upper,
                work=work,
                secrets=(*files, *scripts),
                secret_env=variables,
                mounts=self._mounts.open(vertex, operation, inputs, scratch, stack),
            )
            try:
                exit_code = self._started().run(
                    step,
                    on_output=lambda source, output: self._stream.log(
                        vertex.digest, 1 if source == 1 else 2, output
                    ),
                    cancelled=self._cancelled,
                )
            except StepNotStarted as error:
                raise ProcessFailed(vertex, operation, error.message, hint=error.hint) from error
        if exit_code != 0:
            raise ProcessFailed(vertex, operation, f"exit code: {exit_code}", exit_code=exit_code)
        return self._layers.adopt(upper, over=base.layers)

    def _reveal(self, operation: Exec) -> tuple[tuple[SecretFile, ...], tuple[tuple[str, str], ...]]:
        """The values of the secrets that a command may read, as files and as variables."""
        from builder.executor.secrets import SecretFile

        files: list[SecretFile] = []
        variables: list[tuple[str, str]] = []
        for mount in operation.secrets:
            secret = self._secrets.get(mount.id)
            if secret is None and mount.required:
                raise DockyardError(f"secret {mount.id}: not found", hint="give it to the build")
            value = secret() if callable(secret) else secret
            if mount.target and value is not None:
                files.append(SecretFile(mount.target, value, mount.mode, mount.uid, mount.gid))
            if mount.env:
                variables.append((mount.env, (value or b"").decode(errors="replace")))
        return tuple(files), tuple(variables)

    def _started(self) -> Executor:
        with self._guard:
            if self._executor is None:
                self._executor = self._open_executor()
            return self._executor
