"""Tokens: what a registry's authorisation server gives for credentials, or for nothing.

Users and passwords travel as HTTP Basic, as with Docker; only an identity token is exchanged by OAuth2.
Source: the distribution project's "Token Authentication Specification" and "OAuth2 Token Authentication".
"""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import msgspec

from builder.registry.addresses import resolve
from builder.registry.errors import InvalidAnswer, Unauthorized
from builder.registry.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from builder.registry.challenge import Challenge
    from builder.registry.credentials import Credentials
    from builder.registry.wire import Wire

_CLIENT: Final = "dockyard"
_MAX_ANSWER: Final = 1 << 20
_DEFAULT_LIFE: Final = 60
_MARGIN: Final = 10
"""Seconds before its end from which a token is not used any more."""


class Token(msgspec.Struct, frozen=True):
    """A bearer token; `ends` by the clock of `time.monotonic`."""

    value: str
    ends: float

    @property
    def fresh(self) -> bool:
        """Whether it may still be used."""
        return time.monotonic() < self.ends - _MARGIN

    def __repr__(self) -> str:
        return f"Token(ends={self.ends})"


class _Answer(msgspec.Struct, frozen=True):
    token: str = ""
    access_token: str = ""
    expires_in: float = 0


def basic(credentials: Credentials) -> str:
    """The value of an `Authorization` header."""
    pair = f"{credentials.username}:{credentials.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def fetch_token(
    wire: Wire, challenge: Challenge, scopes: Iterable[str], credentials: Credentials | None
) -> Token:
    """A token for all of `scopes`; anonymous without credentials.

    Raises: Unauthorized when the server gives none; InvalidAnswer; Unreachable, Interrupted.
    """
    # A password that came in over TLS must not leave in the clear because a header says so.
    realm = resolve(wire.base, challenge.parameters.get("realm", ""), sender=wire.base)
    service = challenge.parameters.get("service", "")
    if credentials is not None and credentials.identity_token:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": credentials.identity_token,
            "service": service,
            "client_id": _CLIENT,
            "scope": " ".join(scopes),
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return _ask(wire, "POST", realm, headers, urlencode(form).encode())
    query = urlencode([("service", service), *(("scope", scope) for scope in scopes)])
    authorization = {"Authorization": basic(credentials)} if credentials is not None else {}
    return _ask(wire, "GET", f"{realm}{'&' if '?' in realm else '?'}{query}", authorization)


def _ask(wire: Wire, method: str, url: str, headers: dict[str, str], body: bytes | None = None) -> Token:
    asked = time.monotonic()
    with wire.send(method, url, headers, body) as answer:
        if answer.status != 200:
            error = refusal(answer, method)
            raise Unauthorized(
                f"failed to authorize: failed to fetch token: {error.message}", hint=error.hint
            )
        try:
            content = msgspec.json.decode(answer.read(_MAX_ANSWER), type=_Answer, strict=False)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise InvalidAnswer(f"{answer.host} did not answer with a token") from None
    value = content.token or content.access_token
    if not value or not value.isascii() or not value.isprintable():
        raise InvalidAnswer(f"authorization server {answer.host} did not include a token in the response")
    return Token(value, asked + (content.expires_in or _DEFAULT_LIFE))
