"""A daemon's namespace as a store (`builder.store.protocol.Store`).

Content goes to the daemon under a lease and is named last, so that whatever is killed, a name never points
at something incomplete, and the daemon's collector removes what no name reached.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self

from builder.store.containerd import methods
from builder.store.containerd.connection import Connection
from builder.store.containerd.content import ContainerdContent
from builder.store.containerd.images import ContainerdImages
from builder.store.containerd.leases import hold
from builder.store.containerd.unpack import Unpacker, default_snapshotter
from builder.store.containerd.writer import ContainerdWriter
from builder.store.imagegraph import resolve_platform
from builder.store.protocol import Capabilities

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from builder.oci.descriptor import Descriptor
    from builder.platforms import Platform
    from builder.store.containerd.address import Address
    from builder.store.tables import Labels

_PATIENCE: Final = 10.0
"""Seconds in which a daemon has to say that it is there."""


class ContainerdLease:
    """Keeps what its owner writes and uses (`builder.store.protocol.Lease`)."""

    def __init__(self, connection: Connection, lease: str) -> None:
        self.id = lease
        self.content = ContainerdWriter(connection, lease)
        self._connection = connection

    def keep_snapshots(self, names: Iterable[str]) -> None:
        """Keeps these committed snapshots of the namespace's snapshotter, too."""
        kind = f"snapshots/{default_snapshotter(self._connection)}"
        for name in names:
            self._connection.call(methods.LEASE_ADD, id=self.id, resource={"type": kind, "id": name})


class ContainerdStore:
    """One namespace of a daemon. Safe to share between threads."""

    capabilities: Final = Capabilities(name="containerd", multi_platform=True, attestations=True)

    def __init__(self, address: Address) -> None:
        """Raises: ConnectionLost when no daemon answers at `address`."""
        self.identity = f"{os.path.realpath(address.socket)}#{address.namespace}"
        self._connection = Connection(address)
        self.content = ContainerdContent(self._connection)
        self.images = ContainerdImages(self._connection, self.content)
        try:
            self.version = self._connection.call(methods.VERSION, deadline=_PATIENCE).version
        except BaseException:
            self.close()
            raise

    @contextmanager
    def lease(self, labels: Labels | None = None) -> Iterator[ContainerdLease]:
        """A lease for the length of a `with` block; what a killed process leaves of one, the next inherits."""
        with hold(self._connection, labels or {}) as lease:
            yield ContainerdLease(self._connection, lease)

    def unpack(self, image: Descriptor, platform: Platform, *, snapshotter: str | None = None) -> None:
        """Unpacks what `image` has for `platform`; `snapshotter` None is the namespace's own.

        Raises: NoMatchingPlatform, InvalidDocument, DigestMismatch, StoreError.
        """
        chosen = snapshotter or default_snapshotter(self._connection)
        with self.lease() as lease:
            found = resolve_platform(self.content, image, platform)
            Unpacker(self._connection, lease.content, lease=lease.id, snapshotter=chosen).unpack(found)

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
