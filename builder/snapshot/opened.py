"""How many directories are open at once, however many layers a build looks into.

A build of a thousand stages reads from a thousand trees, and nodes of all of them may be asked for content until
its end; a process may often have no more than 256 or 1024 open files. So directories that are not in use are
closed, oldest first, and opened again when somebody asks.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final, Protocol

DEFAULT_LIMIT: Final = 32


class Closable(Protocol):
    """Something that can be closed for now."""

    def park(self) -> bool:
        """Closes it until it is needed; says False when it is in use at this moment. Never waits."""
        ...


class OpenDirectories:
    """At most `limit` directories that are open and idle. Safe to share between threads.

    Those in use at the moment come on top: one for each thread.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._limit = limit
        self._opened: deque[Closable] = deque()
        self._guard = threading.Lock()

    def opened(self, directory: Closable) -> None:
        """`directory` has just been opened; others are closed for it."""
        with self._guard:
            self._opened.append(directory)
            excess = len(self._opened) - self._limit
            oldest = [self._opened.popleft() for _ in range(max(0, excess))]
        busy = [each for each in oldest if not each.park()]
        if busy:
            with self._guard:
                self._opened.extend(busy)
