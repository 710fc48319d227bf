"""What a containerd daemon refuses, by the class that it gives its errors.

StoreError
├── ConnectionLost       nobody answers at the address, or no longer
└── DaemonError          an error of the daemon's
    ├── NotFound
    ├── AlreadyExists
    ├── Locked           somebody else writes what we want to write
    └── Rejected         bytes that are not what their digest or size says, or a state that forbids the call

Source: containerd's `errdefs`, package `errgrpc`: gRPC codes and what they mean.
"""

from __future__ import annotations

from builder.store.errors import StoreError


class ConnectionLost(StoreError):
    """The daemon cannot be reached."""


class DaemonError(StoreError):
    """The daemon says that it could not do what was asked for."""


class NotFound(DaemonError):
    """The daemon has nothing of that name."""


class AlreadyExists(DaemonError):
    """The daemon has something of that name."""


class Locked(DaemonError):
    """A name that another writer holds right now."""


class Rejected(DaemonError):
    """A condition of the call was not met."""
