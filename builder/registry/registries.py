"""All registries of one command: their configuration, and connections that are made once and shared."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from builder.registry.connection import Connection
from builder.registry.credentials import CredentialStore
from builder.registry.hosts import host_directories, hosts_of
from builder.registry.limits import Limits
from builder.registry.patience import Patience
from builder.registry.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from builder.oci.reference import Reference
    from builder.registry.hosts import Host


class Registries:
    """Finds repositories. Close it, or use it in a `with` block. Safe to share between threads."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        limits: Limits | None = None,
        cancelled: threading.Event | None = None,
    ) -> None:
        """`environment` says where configuration is (`DOCKYARD_HOSTS_DIR`, `DOCKER_CONFIG`, `HOME`).

        Nothing is read and nobody is asked before a repository is used. Setting `cancelled` ends waits and
        transfers.
        """
        self.limits = limits or Limits()
        self.cancelled = cancelled or threading.Event()
        self._patience = Patience(self.limits, self.cancelled)
        self._directories = host_directories(environment)
        self._credentials = CredentialStore(environment)
        self._connections: dict[Host, Connection] = {}
        self._repositories: dict[tuple[str, bool], Repository] = {}
        self._lock = threading.Lock()

    def repository(self, reference: Reference, *, insecure: bool = False) -> Repository:
        """The repository that `reference` names. `insecure`: any certificate will do, and plain HTTP.

        Raises: InvalidConfiguration.
        """
        key = (reference.repository, insecure)
        with self._lock:
            if key not in self._repositories:
                hosts = hosts_of(reference.domain, self._directories, insecure=insecure)
                connections = [self._connection(host) for host in hosts]
                self._repositories[key] = Repository(
                    reference.domain, reference.path, connections, self._patience
                )
            return self._repositories[key]

    def close(self) -> None:
        """Closes all connections."""
        for connection in self._connections.values():
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connection(self, host: Host) -> Connection:
        if host not in self._connections:
            self._connections[host] = Connection(host, self._patience, find=self._credentials.find)
        return self._connections[host]
