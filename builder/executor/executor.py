"""Running steps: the side that the solver sees.

A step is a call that lasts as long as its container. Any number of threads may make such calls on one
executor; they share one supervisor, which the first of them starts.
"""

from __future__ import annotations

import os
import shutil
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import msgspec

from builder.executor.attachment import Attachment
from builder.executor.connection import Connection
from builder.executor.emulation import find_emulation
from builder.executor.errors import ExecutorError, StepNotStarted
from builder.executor.grants import check_grants
from builder.executor.mounts import StepMount, mount_request
from builder.executor.names import host_resolver_files, hosts_file, resolver
from builder.executor.output import Pipes, follow
from builder.executor.runtimes import exit_code, find_runtime
from builder.executor.secrets import SecretFile, secret_request
from builder.executor.spec import runtime_spec
from builder.executor.wire import Request, Settings, write_request
from builder.graph import Exec
from builder.system.errors import Cancelled, DockyardError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from builder.executor.mounts import MountRequest
    from builder.executor.output import Cancellation
    from builder.executor.runtimes import Runtime
    from builder.executor.secrets import SecretRequest


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """An operation with the directories it works on.

    `lower` are the names of layer trees in the trees directory, topmost first; none: an empty file system.
    `upper` receives what changes, and `work` belongs to the overlay: both empty directories on one file
    system, made and removed by the caller. Running gives `upper` the attributes of the root below it.
    `secrets` are files, and `secret_env` variables, that leave no trace in what the step makes; neither do
    `mounts`, which are shown beside its own file system.
    """

    operation: Exec
    lower: tuple[str, ...]
    upper: Path
    work: Path
    secrets: tuple[SecretFile, ...] = ()
    secret_env: tuple[tuple[str, str], ...] = ()
    mounts: tuple[StepMount, ...] = ()


class _Machine(NamedTuple):
    """What was found here when the supervisor was started."""

    connection: Connection
    runtime: Runtime
    resolver_files: tuple[str, ...]


class Executor:
    """Runs steps in containers beneath one supervisor; use it as a context manager, or `close` it.

    Whatever happens to this process, no mount, process, network or control group of a step is left. `run_dir`
    is made if needed, and stays empty; neither `trees_dir` nor an upper directory may lie in it.
    """

    def __init__(self, *, trees_dir: Path, run_dir: Path, allow: frozenset[str]) -> None:
        """Starts nothing yet; `allow` are the entitlements that steps may ask for."""
        self._trees_dir = trees_dir
        self._run_dir = run_dir
        self._allow = allow
        self._lock = threading.Lock()
        self._machine: _Machine | None = None
        self._preparing = False
        self._closed = False

    def prepare(self) -> None:
        """Begins to start what steps need, and does not wait; what goes wrong is told to the first step."""
        with self._lock:
            if self._machine is not None or self._preparing:
                return
            self._preparing = True
        threading.Thread(target=self._prepare, name="dockyard-executor", daemon=True).start()

    def run(self, step: Step, *, on_output: Callable[[int, bytes], None], cancelled: Cancellation) -> int:
        """Runs `step` to its end and returns the exit code; 128 + N for a program that signal N ended.

        `on_output` is called from this thread with 1 or 2 for the stream, and bytes as they come.
        Raises: EntitlementDenied, ExecutorError when it could not be run, Cancelled.
        """
        check_grants(step.operation, self._allow)
        machine = self._started()
        request = self._request(
            machine,
            step.operation,
            step.lower,
            writable=(step.upper, step.work),
            secrets=[secret_request(each) for each in step.secrets],
            secret_env=dict(step.secret_env),
            mounts=[mount_request(each) for each in step.mounts],
        )
        with Pipes() as pipes, self._launch(machine, request, pipes.streams) as channel:
            pipes.give_away()
            return self._finish(machine, channel, pipes.readers, on_output=on_output, cancelled=cancelled)

    def attach(
        self,
        operation: Exec,
        lower: tuple[str, ...],
        *,
        streams: tuple[int, int, int],
        cancelled: Cancellation,
    ) -> int:
        """Runs `operation` on `lower` with the caller's own standard streams, and returns the exit code.

        What it writes is kept in memory and thrown away: this is for running an image, not for building one.
        The streams stay the caller's: none is closed. Raises: as `run`.
        """
        check_grants(operation, self._allow)
        machine = self._started()
        request = self._request(machine, operation, lower, writable=None)
        with Attachment(streams) as own, self._launch(machine, request, own.streams) as channel:
            own.give_away()
            return self._finish(machine, channel, own.readers, on_output=own.write, cancelled=cancelled)

    def close(self) -> None:
        """Kills every step that is running and waits until all have gone. May be called twice."""
        with self._lock:
            self._closed = True
            if self._machine is not None:
                self._machine.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _prepare(self) -> None:
        with suppress(DockyardError):
            self._started()

    def _started(self) -> _Machine:
        with self._lock:
            if self._closed:
                raise Cancelled
            if self._machine is None:
                self._machine = self._start()
            return self._machine

    def _start(self) -> _Machine:
        if os.geteuid() != 0:
            raise ExecutorError("running steps needs root", hint="run dockyard as root")
        runtime = find_runtime()
        files = host_resolver_files()
        self._run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = Settings(
            trees_dir=str(self._trees_dir.resolve()),
            run_dir=str(self._run_dir.resolve()),
            runtime_kind=runtime.kind,
            runtime_path=runtime.path,
            pasta=shutil.which("pasta") or "",
            forward_dns=resolver("default", files).forwarded,
        )
        return _Machine(Connection(settings), runtime, files)

    def _request(
        self,
        machine: _Machine,
        operation: Exec,
        lower: Sequence[str],
        *,
        writable: tuple[Path, Path] | None,
        secrets: Sequence[SecretRequest] = (),
        secret_env: Mapping[str, str] | None = None,
        mounts: Sequence[MountRequest] = (),
    ) -> Request:
        if operation.network == "default" and shutil.which("pasta") is None:
            raise ExecutorError(
                "the default network needs pasta, which is not installed",
                hint="install it (apt-get install passt), or use --network=none or --network=host",
            )
        upper, work = (str(path.resolve()) for path in writable) if writable else (None, None)
        return Request(
            lower=lower,
            upper=upper,
            work=work,
            user=operation.user,
            network=operation.network,
            emulation=find_emulation(operation.platform),
            insecure=operation.security == "insecure",
            hosts=hosts_file(operation.hostname, operation.extra_hosts),
            resolver=resolver(operation.network, machine.resolver_files).text,
            secrets=secrets,
            mounts=mounts,
            spec=runtime_spec(
                operation,
                run_dir=str(self._run_dir.resolve()),
                runtime=machine.runtime,
                secrets=secrets,
                secret_env=secret_env,
                mounts=mounts,
            ),
        )

    def _launch(self, machine: _Machine, request: Request, streams: Sequence[int]) -> socket.socket:
        """Starts the step; the socket that is returned is its channel, and closing it kills the step."""
        channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        file = write_request(request)
        try:
            descriptors = (theirs.fileno(), file, *streams)
            machine.connection.start(request["network"], descriptors)
        except ExecutorError as error:
            channel.close()
            if self._closed:
                raise Cancelled from error
            raise
        finally:
            os.close(file)
            theirs.close()
        return channel

    def _finish(
        self,
        machine: _Machine,
        channel: socket.socket,
        readers: Mapping[int, int],
        *,
        on_output: Callable[[int, bytes], None],
        cancelled: Cancellation,
    ) -> int:
        ending = follow(channel, readers, on_output=on_output, cancelled=cancelled)
        outcome = ending.outcome
        if ending.cancelled or self._closed:
            raise Cancelled
        if outcome is None:
            complaint = machine.connection.complaint()
            raise ExecutorError(
                f"the container supervisor ended before the step: {complaint or 'it was killed'}"
            )
        if outcome["failure"] is not None:
            raise StepNotStarted(outcome["failure"], hint=outcome["hint"])
        return exit_code(outcome["status"], outcome["log"])
