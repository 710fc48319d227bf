"""What can go wrong with a Docker Engine.

├── EngineNotFound (DriverError)   nobody listens where an engine should be; found before any work
└── EngineError (StoreError)       the engine refused something, or went away
"""

from __future__ import annotations

from builder.store.errors import DriverError, StoreError


class EngineNotFound(DriverError):
    """There is no Docker Engine to talk to."""


class EngineError(StoreError):
    """The Docker Engine did not do what it was asked to."""
