"""One repository of a registry, by way of all the hosts that serve it.

Mirrors come first and are asked once: whatever goes wrong with one is a reason to ask the next host, and
only the last is asked again and again. A host that cannot be reached, or that sent wrong bytes, is left
alone for the rest of the command as long as there is another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from builder.registry.connection import Request
from builder.registry.errors import (
    Interrupted,
    InvalidConfiguration,
    NotFound,
    Refusal,
    RegistryError,
    Unreachable,
)
from builder.registry.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from builder.registry.connection import Body, Connection
    from builder.registry.hosts import Capability
    from builder.registry.patience import Patience
    from builder.registry.wire import Answer

_NO_HEADERS: Final[dict[str, str]] = {}
_OK: Final = frozenset({200})


class Repository:
    """The repository `path` of the registry `domain`. Safe to share between threads."""

    def __init__(self, domain: str, path: str, connections: Sequence[Connection], patience: Patience) -> None:
        self.domain = domain
        self.path = path
        self.patience = patience
        self._connections = tuple(connections)
        self._avoided: set[str] = set()

    @property
    def name(self) -> str:
        """Domain and path."""
        return f"{self.domain}/{self.path}"

    def pull(
        self,
        method: str,
        what: str,
        *,
        capability: Capability = "pull",
        headers: Mapping[str, str] = _NO_HEADERS,
        expect: frozenset[int] = _OK,
    ) -> Answer:
        """The first host's answer with an expected status to a request about `what`, as `blobs/sha256:...`.

        Raises: the error of the host that got furthest: NotFound, Unauthorized and other kinds of
        RegistryError; Cancelled.
        """
        candidates = self._candidates(capability)
        failures: list[RegistryError] = []
        for position, connection in enumerate(candidates):
            request = Request(
                method=method,
                path=self._path(connection, what),
                scopes=frozenset({f"repository:{self.path}:pull"}),
                headers=dict(headers),
                once=position < len(candidates) - 1,
            )
            try:
                return _expected(connection.send(request), method, expect)
            except RegistryError as error:
                failures.append(error)
                if isinstance(error, Unreachable):
                    self.avoid(connection.host.name)
        raise max(reversed(failures), key=_distance)

    def push(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        body: Body | bytes | None = None,
        expect: frozenset[int] = _OK,
        mount: str = "",
        once: bool = False,
    ) -> Answer:
        """The answer of the host that takes pushes; `path` is below the repository, or an absolute address.

        `mount` names another repository of the registry that is read. For `once` see `Request`.
        Raises: RegistryError, Cancelled.
        """
        scopes = {f"repository:{self.path}:pull,push"}
        if mount:
            scopes.add(f"repository:{mount}:pull")
        request = Request(
            method=method,
            path=path if "://" in path else f"{self.path}/{path}",
            scopes=frozenset(scopes),
            headers=dict(headers),
            body=body,
            once=once,
        )
        return _expected(self.target.send(request), method, expect)

    @property
    def target(self) -> Connection:
        """The host that takes pushes. Raises: InvalidConfiguration when none does."""
        for connection in self._connections:
            if "push" in connection.host.capabilities:
                return connection
        raise InvalidConfiguration(
            f"no push hosts: the configuration of {self.domain} has no host with the capability push"
        )

    def avoid(self, host: str) -> bool:
        """Leaves `host` out from now on; False if there is no other, and it stays."""
        others = {each.host.name for each in self._connections} - self._avoided - {host}
        if others:
            self._avoided.add(host)
        return bool(others)

    def _candidates(self, capability: Capability) -> list[Connection]:
        able = [each for each in self._connections if capability in each.host.capabilities]
        if not able:
            raise InvalidConfiguration(
                f"the configuration of {self.domain} has no host with the capability {capability}"
            )
        return [each for each in able if each.host.name not in self._avoided] or able

    def _path(self, connection: Connection, what: str) -> str:
        namespace = f"?{urlencode({'ns': self.domain})}" if connection.host.mirror else ""
        return f"{self.path}/{what}{namespace}"


def _expected(answer: Answer, method: str, expect: frozenset[int]) -> Answer:
    if answer.status in expect:
        return answer
    with answer:
        raise refusal(answer, method)


def _distance(error: RegistryError) -> int:
    """How far a host got: no answer, nothing there, something else."""
    if isinstance(error, Unreachable | Interrupted):
        return 0
    return 2 if isinstance(error, Refusal) and not isinstance(error, NotFound) else 1
