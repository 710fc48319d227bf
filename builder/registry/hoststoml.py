"""Directories of hosts: `hosts.toml` as containerd reads it, and Docker's bare certificate files.

A file that cannot be read is an error, not a reason to go on without it: what it would have said may be
where not to send things. Source: containerd's docs/hosts.md.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from builder.registry.errors import InvalidConfiguration
from builder.registry.hosts import ALL, Capability, Host, Tls, default_host, server_of

if TYPE_CHECKING:
    from pathlib import Path

_FILE: Final = "hosts.toml"
_MAX_FILE: Final = 1 << 20
_ADDRESS: Final = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?", re.ASCII)
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0}

_Clients = str | list[str | list[str]]


class _Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table for one host; the file's own top level is one, too. Other members belong to other programs."""

    capabilities: list[Capability] = []
    ca: str | list[str] = []
    client: _Clients = []
    skip_verify: bool = False
    header: dict[str, str | list[str]] = {}
    override_path: bool = False
    dial_timeout: Annotated[str, msgspec.Meta(pattern=r"\A[0-9]+(\.[0-9]+)?(ms|s|m)\Z")] = "30s"


class _File(_Table, frozen=True, kw_only=True):
    server: str = ""
    host: dict[str, _Table] = {}


def read_hosts(directory: Path, domain: str) -> tuple[Host, ...]:
    """The hosts that `directory` gives the registry `domain`, in the order of the file, its server last.

    Raises: InvalidConfiguration.
    """
    path = directory / _FILE
    try:
        with path.open("rb") as stream:
            text = stream.read(_MAX_FILE).decode()
        parsed = msgspec.convert(tomllib.loads(text), _File)
    except FileNotFoundError:
        return (default_host(domain, tls=_certificates(directory)),)
    except (OSError, ValueError) as error:
        raise InvalidConfiguration(f"{path}: {error}", hint="correct the file or remove it") from error
    try:
        mirrors = [_host(directory, url, table, domain) for url, table in parsed.host.items()]
        return (*mirrors, _server(directory, parsed, domain))
    except InvalidConfiguration as error:
        raise InvalidConfiguration(f"{path}: {error.message}") from error


def _server(directory: Path, parsed: _File, domain: str) -> Host:
    """The host of last resort. Without `server` it is the registry itself, with all capabilities."""
    if parsed.server:
        return _host(directory, parsed.server, parsed, domain)
    tls = _tls(directory, parsed)
    return replace(
        default_host(domain, tls=None if tls == Tls() else tls),
        headers=_headers(parsed),
        dial_seconds=_seconds(parsed),
    )


def _host(directory: Path, text: str, table: _Table, domain: str) -> Host:
    url = urlsplit(text if "://" in text else f"https://{text}")
    if not _ADDRESS.fullmatch(url.netloc) or url.scheme not in ("http", "https") or url.query:
        raise InvalidConfiguration(f"{text!r} is no address of a host")
    tls = _tls(directory, table)
    # TLS settings for a plain address mean that TLS is wanted where it can be had.
    either = url.scheme == "http" and tls != Tls()
    path = url.path.rstrip("/")
    if not table.override_path and not path.endswith("/v2"):
        path += "/v2"
    return Host(
        url=f"{'https' if either else url.scheme}://{url.netloc}{path}",
        capabilities=frozenset(table.capabilities) or ALL,
        tls=tls,
        headers=_headers(table),
        dial_seconds=_seconds(table),
        plain_fallback=either,
        mirror=url.netloc not in (domain, server_of(domain)),
    )


def _tls(directory: Path, table: _Table) -> Tls:
    authorities = [table.ca] if isinstance(table.ca, str) else table.ca
    clients = [table.client] if isinstance(table.client, str) else table.client
    return Tls(
        authorities=tuple(directory / each for each in authorities),
        clients=tuple(_client(directory, each) for each in clients),
        verify=not table.skip_verify,
    )


def _client(directory: Path, entry: str | list[str]) -> tuple[Path, Path | None]:
    files = [entry] if isinstance(entry, str) else entry
    match files:
        case [both]:
            return directory / both, None
        case [certificate, key]:
            return directory / certificate, directory / key if key else None
        case _:
            raise InvalidConfiguration("an entry of client is a file, or a pair of certificate and key")


def _headers(table: _Table) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, ", ".join([value] if isinstance(value, str) else value))
        for name, value in table.header.items()
    )


def _seconds(table: _Table) -> float:
    unit = next(each for each in ("ms", "s", "m") if table.dial_timeout.endswith(each))
    return float(table.dial_timeout.removesuffix(unit)) * _UNITS[unit]


def _certificates(directory: Path) -> Tls | None:
    """Docker's layout: `*.crt` are authorities, `X.cert` with `X.key` is ours. None when there are none."""
    authorities = tuple(sorted(directory.glob("*.crt")))
    clients = tuple((each, each.with_suffix(".key")) for each in sorted(directory.glob("*.cert")))
    for certificate, key in clients:
        if not key.is_file():
            raise InvalidConfiguration(f"{certificate} has no {key.name} beside it")
    return Tls(authorities=authorities, clients=clients) if authorities or clients else None
