"""Addresses that registries send us: where an upload goes on, where a blob is, who gives tokens.

Each is text from outside until `resolve` has looked at it; what comes out is absolute, has a host, and is
http or https.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urljoin, urlsplit

from builder.registry.errors import InvalidAnswer

_PORTS: Final = {"http": 80, "https": 443}
_SHOWN: Final = 200


def resolve(base: str, text: str, *, sender: str) -> str:
    """What `text`, sent by `sender` in answer to a request to `base`, refers to.

    Raises: InvalidAnswer when it is no address, or an unprotected one that came over a protected connection.
    """
    try:
        address = urljoin(base, text)
        parts = urlsplit(address)
        valid = parts.scheme in _PORTS and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not text or not valid:
        raise InvalidAnswer(f"{sender} refers to what is no address: {text[:_SHOWN]!r}")
    if parts.scheme == "http" and base.startswith("https:"):
        raise InvalidAnswer(f"{sender} refers to an unprotected address: {shown(address)}")
    return address


def origin(address: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port: what decides who may see credentials."""
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def server(address: str) -> str:
    """Host and port as they are written."""
    return urlsplit(address).netloc.rpartition("@")[2]


def shown(address: str) -> str:
    """The address as messages show it: without user, query (which often holds a signature) and fragment."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{server(address)}{parts.path}"
