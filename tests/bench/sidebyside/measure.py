"""One command, measured: wall time, and the largest memory of all processes that took part."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_INTERVAL: Final = 0.02
# Of a large process a look takes milliseconds, in which the kernel holds up its page faults.
_IDLE: Final = 10


class CommandFailed(Exception):
    """A builder could not do what the workload asks for."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `seconds` of wall time; `peak` bytes held at once by the command and by its daemons.

    A page that several processes share counts once: each has its part of it (proc_pid_smaps(5), Pss).
    """

    seconds: float
    peak: int


def measure(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    daemons: Iterable[int] = (),
    timeout: float = 600,
) -> Sample:
    """Runs `command` to its end; the memory of the processes below `daemons` counts, too.

    Raises: CommandFailed with the last lines of what it wrote.
    """
    started = time.monotonic()
    child = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    watcher = _Watcher((child.pid, *daemons))
    watcher.start()
    try:
        _, errors = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        child.kill()
        _, errors = child.communicate()
    seconds = time.monotonic() - started
    watcher.stop()
    if child.returncode != 0:
        last = errors.decode(errors="replace").strip().splitlines()[-4:]
        raise CommandFailed(f"{command[0]} ended with {child.returncode}: {' | '.join(last)}")
    return Sample(seconds=seconds, peak=watcher.peak)


class _Watcher(threading.Thread):
    """Looks how much memory the processes below `roots` have, every few milliseconds, and idle most of the time."""

    def __init__(self, roots: Sequence[int]) -> None:
        super().__init__(daemon=True)
        self._roots = roots
        self._stopped = threading.Event()
        self.peak = 0

    def run(self) -> None:
        pause = _INTERVAL
        while not self._stopped.wait(pause):
            started = time.thread_time()
            self.peak = max(self.peak, sum(_held(pid) for root in self._roots for pid in _family(root)))
            pause = max(_INTERVAL, _IDLE * (time.thread_time() - started))

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def _family(pid: int) -> list[int]:
    family = [pid]
    for member in family:
        try:
            for task in os.listdir(f"/proc/{member}/task"):
                children = Path(f"/proc/{member}/task/{task}/children").read_text()
                family += map(int, children.split())
        except OSError:
            continue
    return family


def _held(pid: int) -> int:
    """Bytes; 0 for a process that has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
