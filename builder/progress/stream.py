"""The source of events: where the engine says what it does, from any thread.

One lock orders the events of all threads, so that no watcher needs a lock of its own, and one clock dates
them. Output of steps is limited here, before anybody has to store or send it.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from builder.progress import events
from builder.progress.loglimit import DEFAULT_LIMIT, LogLimit
from builder.system.errors import Cancelled, DockyardError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from builder.graph.location import Location
    from builder.oci.digest import Digest
    from builder.progress.events import Event, EventSink, LogStream


class Stream:
    """Dates events, puts them in order and hands them to one sink."""

    def __init__(
        self,
        sink: EventSink,
        *,
        clock: Callable[[], float] = time.monotonic,
        log_limit: int = DEFAULT_LIMIT,
    ) -> None:
        self._sink = sink
        self._clock = clock
        self._origin = clock()
        self._log_limit = log_limit
        # Reentrant: a signal that interrupts an emission leads to the events of the cancelled vertices.
        self._lock = threading.RLock()
        self._started: dict[Digest, float] = {}
        self._completed: set[Digest] = set()
        self._logs: dict[Digest, LogLimit] = {}

    @property
    def now(self) -> float:
        """Seconds since the build began."""
        return self._clock() - self._origin

    @contextmanager
    def vertex(self, digest: Digest, name: str) -> Iterator[None]:
        """Starts a vertex and ends it with the block: completed, failed, or cancelled with the build."""
        self.started(digest, name)
        try:
            yield
        except (Cancelled, KeyboardInterrupt):
            self.canceled(digest)
            raise
        except BaseException as error:
            self.failed(digest, error.message if isinstance(error, DockyardError) else str(error))
            raise
        self.completed(digest)

    def queued(self, digest: Digest, name: str) -> None:
        """The vertex is part of the build."""
        with self._lock:
            self._sink(events.VertexQueued(at=self.now, digest=digest, name=name))

    def started(self, digest: Digest, name: str) -> None:
        """The vertex begins now."""
        with self._lock:
            at = self._started[digest] = self.now
            self._sink(events.VertexStarted(at=at, digest=digest, name=name))

    def cached(self, digest: Digest, name: str) -> None:
        """The result of the vertex was there already; no news of one that this build has completed."""
        with self._lock:
            if digest in self._completed:
                return
            self._forget(digest)
            self._sink(events.VertexCached(at=self.now, digest=digest, name=name))

    def completed(self, digest: Digest) -> None:
        """The vertex, started before, is done."""
        with self._lock:
            at = self.now
            seconds = at - self._started.get(digest, at)
            self._forget(digest)
            self._completed.add(digest)
            self._sink(events.VertexCompleted(at=at, digest=digest, seconds=seconds))

    def failed(self, digest: Digest, error: str) -> None:
        """The vertex failed; output that was held back by the limit is shown first, because it says why."""
        with self._lock:
            limit = self._forget(digest)
            if limit is not None and (tail := limit.held_back()):
                self._emit_log(digest, 2, tail)
            self._sink(events.VertexFailed(at=self.now, digest=digest, error=error))

    def canceled(self, digest: Digest) -> None:
        """The vertex was stopped, because the build ends."""
        with self._lock:
            self._forget(digest)
            self._sink(events.VertexCanceled(at=self.now, digest=digest))

    def log(self, digest: Digest, stream: LogStream, data: bytes) -> None:
        """The step of the vertex wrote `data`."""
        with self._lock:
            limit = self._logs.setdefault(digest, LogLimit(self._log_limit))
            if passed := limit.feed(data):
                self._emit_log(digest, stream, passed)

    def status(
        self, digest: Digest, label: str, *, current: int = 0, total: int | None = None, done: bool = False
    ) -> None:
        """A part of the vertex's work, named by `label`, is at `current` bytes of `total`."""
        with self._lock:
            self._sink(
                events.VertexStatus(
                    at=self.now, digest=digest, id=label, current=current, total=total, done=done
                )
            )

    def warning(
        self,
        digest: Digest,
        short: str,
        *,
        detail: tuple[str, ...] = (),
        url: str = "",
        location: Location | None = None,
    ) -> None:
        """Something to tell the reader about the vertex."""
        with self._lock:
            self._sink(
                events.VertexWarning(
                    at=self.now, digest=digest, short=short, detail=detail, url=url, location=location
                )
            )

    def finished(self, digest: Digest | None = None) -> None:
        """The build is over, with the result `digest` or none."""
        with self._lock:
            self._sink(events.BuildFinished(at=self.now, digest=digest))

    def _emit_log(self, digest: Digest, stream: LogStream, data: bytes) -> None:
        self._sink(events.VertexLog(at=self.now, digest=digest, stream=stream, data=data))

    def _forget(self, digest: Digest) -> LogLimit | None:
        self._started.pop(digest, None)
        return self._logs.pop(digest, None)


def discard(_event: Event) -> None:
    """The sink of a build that nobody watches."""
