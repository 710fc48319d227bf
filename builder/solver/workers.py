"""Threads that do the waiting: containers, file copies and compression, one task each, bounded in number."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

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


class Workers:
    """Runs tasks on at most `limit` threads, oldest first; a thread ends when nothing is left to do.

    A task must not raise: it reports its outcome itself.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[Task] = deque()
        self._running = 0
        self._lock = threading.Condition()

    def submit(self, task: Task) -> None:
        """Queues `task`."""
        with self._lock:
            self._waiting.append(task)
            if self._running < self._limit:
                self._running += 1
                threading.Thread(target=self._run, name="dockyard-worker", daemon=True).start()

    def drop_waiting(self) -> int:
        """Forgets the tasks that have not started, and says how many there were."""
        with self._lock:
            dropped = len(self._waiting)
            self._waiting.clear()
            return dropped

    def join(self) -> None:
        """Returns when no task is running or waiting."""
        with self._lock:
            self._lock.wait_for(lambda: self._running == 0 and not self._waiting)

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._running -= 1
                    self._lock.notify_all()
                    return
                task = self._waiting.popleft()
            task()


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
        workers.submit(lambda item=item: guarded(item))  # type: ignore[misc]
    workers.join()
    if errors:
        raise errors[0]
