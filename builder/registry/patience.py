"""Trying again: after what, how often, how long to wait; and giving up when somebody cancels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.registry.errors import Interrupted, RateLimited, Refusal, RegistryError, Unavailable
from builder.system.errors import Cancelled

if TYPE_CHECKING:
    import threading

    from builder.registry.limits import Limits


class Patience:
    """Waits for registries within `limits`."""

    def __init__(self, limits: Limits, cancelled: threading.Event) -> None:
        self.limits = limits
        self._cancelled = cancelled

    def check(self) -> None:
        """Raises: Cancelled."""
        if self._cancelled.is_set():
            raise Cancelled

    def recover(self, error: RegistryError, failures: int) -> None:
        """Waits before the next try of what failed so many times in a row, the last time with `error`.

        Raises: `error` itself when it was tried often enough or trying does not help; RateLimited when the
        registry asks for too long a wait; Cancelled.
        """
        if failures >= self.limits.attempts or not isinstance(error, Interrupted | Unavailable | RateLimited):
            raise error
        if self._cancelled.wait(self._wait(error, failures)):
            raise Cancelled

    def _wait(self, error: RegistryError, failures: int) -> float:
        wait = error.retry_after if isinstance(error, Refusal) else None
        if wait is None:
            return self.limits.wait(failures)
        if wait > self.limits.patience:
            raise RateLimited(f"{error.message}; it asks to wait {wait:.0f} seconds", hint=error.hint)
        return wait
