"""The words of EXPOSE: `[[ip:]host:]ports[/protocol]`, of which only container ports and protocol count."""

from __future__ import annotations

import re
from typing import Final

from builder.system.quoting import quote

_PROTOCOLS: Final = frozenset({"tcp", "udp", "sctp"})
_RANGE: Final = r"([0-9]{1,9})(?:-([0-9]{1,9}))?"
_MAX_PORT: Final = 65535


class InvalidPort(Exception):
    """A word that names no ports."""


def read_ports(word: str) -> list[str]:
    """The ports that `word` names, each as `number/protocol`, lowest first. Raises: InvalidPort."""
    address, slash, protocol = word.partition("/")
    protocol = protocol.lower() if slash and protocol else "tcp"
    if protocol not in _PROTOCOLS:
        raise InvalidPort(f"invalid port: {quote(word)}: invalid proto: {protocol}")
    *outside, container = address.split(":")
    if not container:
        raise InvalidPort(f"invalid port: {quote(word)}: no port specified")
    if len(outside) > 1:
        _check_address(":".join(outside[:-1]))
    ports = _read_range(container, "containerPort")
    host = outside[-1] if outside else ""
    if host and len(_read_range(host, "hostPort")) != len(ports) and len(ports) > 1:
        raise InvalidPort(f"invalid ranges specified for container and host Ports: {container} and {host}")
    return [f"{port}/{protocol}" for port in ports]


def _read_range(text: str, what: str) -> range:
    matched = re.fullmatch(_RANGE, text)
    if matched:
        first, last = int(matched[1]), int(matched[2] or matched[1])
        if first <= last <= _MAX_PORT:
            return range(first, last + 1)
    raise InvalidPort(f"invalid {what}: {text}")


def _check_address(text: str) -> None:
    import ipaddress

    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if bare:
        try:
            ipaddress.ip_address(bare)
        except ValueError as error:
            raise InvalidPort(f"invalid IP address: {bare}") from error
