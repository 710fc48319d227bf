"""Between the event stream and what is on the screen: the seam of renderers, and the pump that drives one.

Steps may be silent for minutes while times must go on and held-back lines must come out, so the pump also
tells the renderer that time has passed. A screen that is gone never ends a build.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from builder.progress.events import Event

_TICK: Final = 0.15


class Renderer(Protocol):
    """Shows events. Never called by two threads at once. `close` is called once and comes last."""

    def show(self, event: Event) -> None:
        """Takes in what happened; may show it later."""

    def tick(self, now: float) -> None:
        """`now` seconds of the build have passed."""

    def close(self) -> None:
        """Shows what is still held back, and what sums up the build."""


class Silent:
    """Shows nothing: `quiet` and `none`."""

    def show(self, event: Event) -> None:
        """Nothing."""

    def tick(self, now: float) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Display:
    """An event sink that drives `renderer` while the `with` block lasts."""

    def __init__(self, renderer: Renderer, *, tick_seconds: float = _TICK) -> None:
        self._renderer = renderer
        self._tick_seconds = tick_seconds
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._origin: float | None = None
        self._ticker = threading.Thread(target=self._run, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._ticker.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        self._ticker.join()
        self._guarded(lambda renderer: renderer.close())

    def __call__(self, event: Event) -> None:
        """Shows `event`. Safe from any thread."""
        if self._origin is None:
            self._origin = time.monotonic() - event.at
        self._guarded(lambda renderer: renderer.show(event))

    def _run(self) -> None:
        while not self._stop.wait(self._tick_seconds):
            self._guarded(self._tick)

    def _tick(self, renderer: Renderer) -> None:
        if self._origin is not None:
            renderer.tick(time.monotonic() - self._origin)

    def _guarded(self, call: Callable[[Renderer], None]) -> None:
        with self._lock:
            try:
                call(self._renderer)
            except OSError:
                # The terminal or the pipe is closed; the build goes on for those who wait for its result.
                self._renderer = Silent()
