"""Leases at a daemon: what keeps an export's content from the daemon's collector until it has a name.

A lease ends with its block. One whose process was killed ends when the next one begins, which takes over what
it kept, so that nothing has to be sent again; or, if nobody comes, at its time.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from builder.store.containerd import methods
from builder.store.containerd.errors import NotFound
from builder.store.containerd.owner import is_dead, this_owner
from builder.store.errors import StoreError
from builder.store.leases import EXPIRE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.store.containerd.connection import Connection
    from builder.store.tables import Labels

_OWNER: Final = "dockyard/owner"
_LIFETIME: Final = 24 * 60 * 60
"""Seconds; as long as containerd's own clients give theirs."""


@contextmanager
def hold(connection: Connection, labels: Labels) -> Iterator[str]:
    """A lease for the length of the block; gives its id. Raises: StoreError."""
    lease = f"dockyard-{os.urandom(8).hex()}"
    expire = datetime.fromtimestamp(int(time.time()) + _LIFETIME, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    connection.call(methods.LEASE_CREATE, id=lease, labels={EXPIRE: expire, **labels, _OWNER: this_owner()})
    try:
        _inherit(connection, lease)
        yield lease
    except BaseException:
        # What went wrong is what counts; a daemon that is gone cannot end the lease either.
        with suppress(StoreError):
            _end(connection, lease)
        raise
    else:
        _end(connection, lease)


def _inherit(connection: Connection, heir: str) -> None:
    """Takes over what leases of dead processes keep, and ends them."""
    for lease in connection.call(methods.LEASE_LIST, filters=[f'labels."{_OWNER}"']).leases:
        if not is_dead(lease.labels[_OWNER]):
            continue
        with suppress(NotFound):
            for resource in connection.call(methods.LEASE_RESOURCES, id=lease.id).resources:
                kept = {"type": resource.type, "id": resource.id}
                connection.call(methods.LEASE_ADD, id=heir, resource=kept)
            _end(connection, lease.id)


def _end(connection: Connection, lease: str) -> None:
    with suppress(NotFound):
        connection.call(methods.LEASE_DELETE, id=lease)
