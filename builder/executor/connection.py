"""The upper side of the supervisor: starts it, hands it steps, and ends it."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Final

from builder.executor.errors import ExecutorError
from builder.executor.isolated import ENVIRONMENT, command
from builder.executor.wire import Order, receive_outcome, send_order

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence

    from builder.executor.wire import Settings

_MAX_COMPLAINT: Final = 8 << 10


class Connection:
    """A running supervisor. `close` kills every step beneath it and waits until all have gone."""

    def __init__(self, settings: Settings) -> None:
        """Starts it. Raises: ExecutorError when this machine or user cannot have one."""
        # Closing a socket that another thread is sending on could send on what gets its number next.
        self._guard = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = _spawn(settings, theirs)
        ready = receive_outcome(self._control)
        if ready is None or ready["failure"] is not None:
            reason = ready["failure"] if ready is not None else self.complaint()
            self.close()
            raise ExecutorError(
                f"containers cannot be run here: {reason}", hint="`dockyard doctor` says what is missing"
            )

    def start(self, network: str, descriptors: Sequence[int]) -> None:
        """Starts the step that `descriptors` (see wire.STEP_DESCRIPTORS) describe.

        Raises: ExecutorError when the supervisor has ended.
        """
        try:
            with self._guard:
                send_order(self._control, Order(network=network), descriptors)
        except OSError as error:
            raise ExecutorError(f"the container supervisor has ended: {error}") from error

    def complaint(self) -> str:
        """What a supervisor that has ended wrote before; waits for its end."""
        self._process.wait()
        assert self._process.stderr is not None
        return self._process.stderr.read(_MAX_COMPLAINT).decode("utf-8", "replace").strip()

    def close(self) -> None:
        """Ends it and everything beneath it. May be called twice."""
        with self._guard:
            self._control.close()
        self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()


def _spawn(settings: Settings, control: socket.socket) -> subprocess.Popen[bytes]:
    import subprocess

    return subprocess.Popen(
        command("supervisor", settings.encode(), str(control.fileno())),
        pass_fds=(control.fileno(),),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        # A Ctrl-C at the terminal is for dockyard, which decides what becomes of the steps.
        start_new_session=True,
    )
