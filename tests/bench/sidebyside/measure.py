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
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class CommandFailed(Exception):
    """A builder could not do what the workload asks for."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `seconds` of wall time; `peak` bytes resident at once in the command and in its daemons."""

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
    """Looks every few milliseconds how much memory the processes below `roots` have."""

    def __init__(self, roots: Sequence[int]) -> None:
        super().__init__(daemon=True)
        self._roots = roots
        self._stopped = threading.Event()
        self.peak = 0

    def run(self) -> None:
        while not self._stopped.wait(_INTERVAL):
            self.peak = max(self.peak, sum(_resident(pid) for root in self._roots for pid in _family(root)))

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


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0
