"""A few threads for many transfers; the first that fails ends the others."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from builder.system.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Task: TypeAlias = Callable[[], None]


class Crew:
    """Runs tasks, at most `limit` at once."""

    def __init__(self, limit: int, cancelled: threading.Event) -> None:
        self._limit = limit
        self._cancelled = cancelled
        self._failures: list[BaseException] = []
        self._left = False

    def check(self) -> None:
        """Called by tasks between two pieces of work. Raises: Cancelled when the rest is not wanted."""
        if self._failures or self._left or self._cancelled.is_set():
            raise Cancelled

    def run(self, tasks: Iterable[Task]) -> None:
        """Returns when all are done. Raises: what the first that failed has raised; Cancelled."""
        waiting = deque(tasks)
        count = min(self._limit, len(waiting))
        threads = [
            threading.Thread(target=self._work, args=(waiting,), name="dockyard-transfer", daemon=True)
            for _ in range(count)
        ]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException:
            # Interrupted while waiting: the threads end at their next check, or with the process.
            self._left = True
            raise
        if self._failures:
            raise self._failures[0]

    def _work(self, waiting: deque[Task]) -> None:
        while True:
            try:
                task = waiting.popleft()
            except IndexError:
                return
            try:
                self.check()
                task()
            except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
                self._failures.append(error)
                return
