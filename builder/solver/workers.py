"""Threads that do the waiting: containers, file copies and compression, one task each, bounded in number."""

from __future__ import annotations

import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from builder.system.heaps import share_heaps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Task: TypeAlias = Callable[[], None]

_Item = TypeVar("_Item")

_JOBS_PER_CORE: Final = 16
"""Steps wait more than they compute: for containers, for disks, for each other."""
_FILES_OF_JOB: Final = 8
"""Open at most, counted: a lock, the database and its log, what is read and written, the pipes of a container."""
_FILES_OF_BUILD: Final = 100
"""Open all the time: libraries, the supervisor, directories that steps have looked into."""


def job_limit(wanted: int | None, *, cores: int, files: int) -> int:
    """How many tasks may run at once: `wanted`, or what `cores` allow, as far as `files` may be open."""
    affordable = max(1, (files - _FILES_OF_BUILD) // _FILES_OF_JOB)
    return min(wanted or _JOBS_PER_CORE * cores, affordable)


_HEAPS: Final = 2
_LINGER: Final = 0.1
"""Seconds that a thread stays without a task."""


class Workers:
    """Runs tasks on at most `limit` threads, oldest first; a thread ends when nothing was left to do for a while.

    A task must not raise: it reports its outcome itself.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[Task] = deque()
        self._busy = 0
        self._idle = 0
        share_heaps(_HEAPS)
        lock = threading.Lock()
        self._work = threading.Condition(lock)
        self._quiet = threading.Condition(lock)

    def submit(self, task: Task) -> None:
        """Queues `task`."""
        with self._work:
            self._waiting.append(task)
            if self._idle >= len(self._waiting):
                self._work.notify()
            elif self._busy + self._idle < self._limit:
                self._busy += 1
                threading.Thread(target=self._run, name="dockyard-worker", daemon=True).start()

    def drop_waiting(self) -> int:
        """Forgets the tasks that have not started, and says how many there were."""
        with self._work:
            dropped = len(self._waiting)
            self._waiting.clear()
            return dropped

    def join(self) -> None:
        """Returns when no task is running or waiting."""
        with self._quiet:
            self._quiet.wait_for(lambda: self._busy == 0 and not self._waiting)

    def _run(self) -> None:
        while True:
            with self._work:
                if not self._waiting and not self._awaited():
                    return
                task = self._waiting.popleft()
            task()

    def _awaited(self) -> bool:
        """Waits for a task, with the lock; a new thread for each costs more than many a task."""
        self._busy -= 1
        self._idle += 1
        self._quiet.notify_all()
        self._work.wait_for(lambda: bool(self._waiting), timeout=_LINGER)
        self._idle -= 1
        self._busy += bool(self._waiting)
        return bool(self._waiting)


def in_parallel(limit: int, items: Iterable[_Item], work: Callable[[_Item], None]) -> None:
    """Does `work` for all items, at most `limit` at once; raises the first error, after which no more is begun."""
    errors: list[BaseException] = []
    workers = Workers(limit)

    def guarded(item: _Item) -> None:
        try:
            if not errors:
                work(item)
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            errors.append(error)

    for item in items:
        workers.submit(partial(guarded, item))
    workers.join()
    if errors:
        raise errors[0]
