"""PID 1 of the supervisor's namespace: starts the steps, reaps them, and dies with dockyard.

One thread, one loop, nothing that waits: forking stays safe, and the end of the control socket is seen at
once. When this process ends, for whatever reason, the kernel kills everything in the namespace.
Imported by the supervisor: only what starts quickly.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
from typing import TYPE_CHECKING, Final

from builder.executor import layout
from builder.executor.container import World, become_step
from builder.executor.errors import ExecutorError
from builder.executor.network import become_network
from builder.executor.wire import Outcome, failed, receive_order, send_outcome
from builder.system.linux import CLONE_NEWPID, setns, unshare

if TYPE_CHECKING:
    from builder.executor.wire import Settings

# As JSON it may become six times as long, and must fit in a packet.
_MAX_LOG: Final = 8 << 10


class _Step:
    """A step that was asked for; `pid` is None until its network is there."""

    __slots__ = ("channel", "name", "pid", "request", "streams")

    def __init__(self, descriptors: list[int], name: str) -> None:
        channel, self.request, *self.streams = descriptors
        self.channel = socket.socket(fileno=channel)
        self.name = name
        self.pid: int | None = None

    def release(self) -> None:
        """Closes what only the step's process needs."""
        for descriptor in (self.request, *self.streams):
            os.close(descriptor)


class Reaper:
    """Serves the orders that come over `control` until its other end is closed."""

    def __init__(self, control: socket.socket, settings: Settings, world: World) -> None:
        self._control = control
        self._settings = settings
        self._world = world
        self._own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._selector = selectors.DefaultSelector()
        self._running: dict[int, _Step] = {}
        self._waiting: list[_Step] = []
        self._network_maker: int | None = None
        self._count = 0

    def serve(self) -> None:
        """Returns when the upper side has gone away."""
        wakeup, notify = socket.socketpair()
        for end in (wakeup, notify):
            os.set_blocking(end.fileno(), False)
        signal.set_wakeup_fd(notify.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self._selector.register(self._control, selectors.EVENT_READ)
        self._selector.register(wakeup, selectors.EVENT_READ)
        while True:
            # Reaping comes last: it closes channels that may be among the ready ones.
            for key, _ in sorted(self._selector.select(), key=lambda each: each[0].fileobj is wakeup):
                if key.fileobj is wakeup:
                    wakeup.recv(4096)
                    self._reap()
                elif key.fileobj is not self._control:
                    self._hang_up(key.data)
                elif not self._accept():
                    return

    def _accept(self) -> bool:
        received = receive_order(self._control)
        if received is None:
            return False
        order, descriptors = received
        self._count += 1
        step = _Step(descriptors, f"step-{self._count}")
        self._selector.register(step.channel, selectors.EVENT_READ, step)
        if order["network"] == "default" and self._world.network is None:
            self._waiting.append(step)
            self._make_network()
        else:
            self._start(step)
        return True

    def _start(self, step: _Step) -> None:
        try:
            step.pid = self._fork_first_of_namespace(step)
        except OSError as error:
            return self._end(step, failed(error))
        finally:
            step.release()
        self._running[step.pid] = step
        return None

    def _fork_first_of_namespace(self, step: _Step) -> int:
        unshare(CLONE_NEWPID)
        pid: int | None = None
        try:
            pid = os.fork()
        finally:
            if pid != 0:
                # Else the next child, a step or the network, would be put into that namespace too.
                setns(self._own_pids, CLONE_NEWPID)
        if pid == 0:
            become_step(self._world, step.request, channel=step.channel, streams=step.streams, name=step.name)
        return pid

    def _make_network(self) -> None:
        if self._network_maker is None:
            self._network_maker = os.fork()
            if self._network_maker == 0:
                become_network(self._settings, layout.log_file(self._settings.run_dir, layout.NETWORK))

    def _network_made(self, status: int) -> None:
        self._network_maker = None
        waiting, self._waiting = self._waiting, []
        if status != 0:
            text = self._take_log(layout.NETWORK)
            problem = ExecutorError(
                f"the steps' network could not be set up: {text or f'{self._settings.pasta} ended with {status}'}",
                hint="run the step with --network=none or --network=host",
            )
            for step in waiting:
                step.release()
                self._end(step, failed(problem))
            return
        path = f"{self._settings.run_dir}/{layout.NETWORK}"
        self._world = self._world._replace(network=os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        for step in waiting:
            self._start(step)

    def _hang_up(self, step: _Step) -> None:
        """The upper side closed the step's channel: it wants the step to end."""
        self._selector.unregister(step.channel)
        if step.pid is not None:
            os.kill(step.pid, signal.SIGKILL)
            return
        self._waiting.remove(step)
        step.release()
        step.channel.close()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            if pid == self._network_maker:
                self._network_made(code)
            elif pid in self._running:
                step = self._running.pop(pid)
                self._end(
                    step,
                    Outcome(
                        status=_shell_status(code), log=self._take_log(step.name), failure=None, hint=None
                    ),
                )

    def _take_log(self, name: str) -> str:
        path = layout.log_file(self._settings.run_dir, name)
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read(_MAX_LOG)
        except FileNotFoundError:
            return ""
        os.unlink(path)
        return text.strip()

    def _end(self, step: _Step, outcome: Outcome) -> None:
        if step.channel in self._selector.get_map():
            self._selector.unregister(step.channel)
        send_outcome(step.channel, outcome)
        step.channel.close()


def _shell_status(code: int) -> int:
    return code if code >= 0 else 128 - code
