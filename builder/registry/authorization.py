"""Who we are to one host: the scheme that it asked for, and the tokens that we have got.

What a host wants is remembered from its first refusal on, so only that one costs a request. Credentials are
asked for by the host's own name and go to it, and to the server of tokens that it names; nowhere else.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from builder.registry.challenge import Challenge, parse_challenges
from builder.registry.errors import Unauthorized
from builder.registry.tokens import Token, basic, fetch_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from builder.registry.credentials import Credentials
    from builder.registry.wire import Wire

_SCHEMES: Final = ("bearer", "basic")


class Authorizer:
    """Makes `Authorization` headers for one host. Safe to share between threads."""

    def __init__(self, wire: Wire, find: Callable[[], Credentials | None]) -> None:
        """`find` looks the credentials up; it is called once, and only if they are needed."""
        self._wire = wire
        self._find = find
        self._challenge: Challenge | None = None
        self._credentials: Credentials | None = None
        self._tokens: dict[frozenset[str], Token] = {}
        # Held while a token is fetched: the other threads will need the very same one.
        self._lock = threading.Lock()

    def header(self, scopes: frozenset[str]) -> str | None:
        """The header for a request that needs `scopes`; None as long as the host has asked for none.

        Raises: RegistryError.
        """
        with self._lock:
            return self._header(scopes)

    def answer(self, header: str, scopes: frozenset[str], *, refused: str | None) -> str:
        """The header to try again with, after a 401 with the `WWW-Authenticate` that is `header`.

        `refused` is what the request was sent with. Raises: Unauthorized when there is nothing better to
        offer; RegistryError.
        """
        with self._lock:
            challenge = _choose(header)
            if self._challenge is None:
                self._credentials = self._find()
            self._challenge = challenge
            held = self._tokens.get(scopes)
            # Another thread may have fetched a new one since this request was sent.
            if held is not None and refused == f"Bearer {held.value}":
                del self._tokens[scopes]
            offered = self._header(scopes)
        if offered is None or (offered == refused and challenge.scheme == "basic"):
            raise Unauthorized(
                "no basic auth credentials" if offered is None else "the credentials are not accepted"
            )
        return offered

    def _header(self, scopes: frozenset[str]) -> str | None:
        if self._challenge is None:
            return None
        if self._challenge.scheme == "basic":
            return basic(self._credentials) if self._credentials is not None else None
        if self._credentials is not None and self._credentials.registry_token:
            return f"Bearer {self._credentials.registry_token}"
        token = self._tokens.get(scopes)
        if token is None or not token.fresh:
            token = fetch_token(self._wire, self._challenge, sorted(scopes), self._credentials)
            self._tokens[scopes] = token
        return f"Bearer {token.value}"


def _choose(header: str) -> Challenge:
    challenges = parse_challenges(header)
    for scheme in _SCHEMES:
        for each in challenges:
            if each.scheme == scheme:
                return each
    offered = ", ".join(each.scheme for each in challenges) or "none"
    raise Unauthorized(f"failed to find supported auth scheme: the server offers {offered[:100]}")
