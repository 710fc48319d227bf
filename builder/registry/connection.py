"""Talking to one host: authorisation, redirects, and trying again.

A redirect may lead to any server, which then gets neither credentials nor the headers that were configured
for the host. What is tried again is bounded: a refused request once with new credentials, an interrupted or
overloaded one as often as the limits say, with the wait that the registry asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from builder.registry.addresses import origin, resolve
from builder.registry.authorization import Authorizer
from builder.registry.errors import Interrupted, InvalidAnswer, RegistryError, Unauthorized
from builder.registry.refusals import refusal
from builder.registry.wire import Answer, Outgoing, Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from builder.registry.credentials import Credentials
    from builder.registry.hosts import Host
    from builder.registry.patience import Patience

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS: Final = 5
_TRY_AGAIN: Final = frozenset({408, 429, 500, 502, 503, 504})


class Body(Protocol):
    """What a request brings; opened anew for each time that it is sent."""

    def open(self) -> Outgoing:
        """The body from its beginning."""
        ...


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `path` is below the host's address, or absolute.

    `once`: not to be repeated after an interruption, because the sender knows better how to go on.
    """

    method: str
    path: str
    scopes: frozenset[str] = frozenset()
    headers: dict[str, str] = {}
    body: Body | bytes | None = None
    once: bool = False


class Connection:
    """One host. Safe to share between threads."""

    def __init__(
        self,
        host: Host,
        patience: Patience,
        *,
        find: Callable[[str], Credentials | None],
    ) -> None:
        """`find` looks up the credentials for a server. Raises: InvalidConfiguration."""
        self.host = host
        self._patience = patience
        self._wire = Wire(host, patience.limits)
        self._authorizer = Authorizer(self._wire, lambda: find(host.name))

    def send(self, request: Request) -> Answer:
        """The answer, whatever its status, to a request that was tried often enough.

        Raises: Unreachable, Interrupted, InvalidAnswer, Unauthorized, RateLimited, Cancelled.
        """
        failures = 0
        while True:
            self._patience.check()
            failures += 1
            try:
                answer = self._authorized(request)
                if (
                    request.once
                    or answer.status not in _TRY_AGAIN
                    or failures >= self._patience.limits.attempts
                ):
                    return answer
                with answer:
                    error: RegistryError = refusal(answer, request.method)
            except Interrupted as cut:
                if request.once:
                    raise
                error = cut
            self._patience.recover(error, failures)

    def close(self) -> None:
        """Closes the connections."""
        self._wire.close()

    def locate(self, answer: Answer) -> str:
        """The absolute address that the `Location` of an answer means. Raises: InvalidAnswer."""
        return resolve(answer.url, answer.header("Location"), sender=answer.host)

    def _authorized(self, request: Request) -> Answer:
        header = self._authorizer.header(request.scopes)
        answer = self._follow(request, header)
        if answer.status != 401 or not self.is_ours(answer.url):
            return answer
        with answer:
            try:
                better = self._authorizer.answer(
                    answer.header("WWW-Authenticate"), request.scopes, refused=header
                )
            except Unauthorized as error:
                inner = refusal(answer, request.method)
                raise Unauthorized(
                    f"{inner.message}: {error.message}", hint=error.hint or inner.hint
                ) from error
        return self._follow(request, better)

    def _follow(self, request: Request, authorization: str | None) -> Answer:
        url = request.path if "://" in request.path else f"{self._wire.base}/{request.path}"
        for _ in range(_MAX_REDIRECTS + 1):
            answer = self._send(request, url, authorization)
            if answer.status not in _REDIRECTS or request.method not in ("GET", "HEAD"):
                return answer
            with answer:
                url = self.locate(answer)
        raise InvalidAnswer(f"{self.host.name} redirected {request.method} more than {_MAX_REDIRECTS} times")

    def _send(self, request: Request, url: str, authorization: str | None) -> Answer:
        headers = dict(request.headers)
        if self.is_ours(url):
            headers.update(self.host.headers)
            if authorization is not None:
                headers["Authorization"] = authorization
        body = request.body
        return self._wire.send(
            request.method, url, headers, body if body is None or isinstance(body, bytes) else body.open()
        )

    def is_ours(self, url: str) -> bool:
        """Whether the host itself serves `url`, so that it may see credentials."""
        # The host may have turned out to speak plain HTTP; it is the same host.
        return origin(url) in (origin(self._wire.base), origin(self.host.url))
