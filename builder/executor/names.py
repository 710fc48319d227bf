"""What a step finds in /etc/hosts and /etc/resolv.conf. Pure text in, text out.

The host's nameservers are passed on, but not those on its loopback: a step has a loopback of its own. Where
nothing else is left, queries go to an address that the user-mode network forwards to the host's resolver.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from builder.executor.network import FORWARDED_NAMESERVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from builder.graph import Network

DEFAULT_HOSTNAME: Final = "buildkitsandbox"

_RESOLVER_FILES: Final = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
_MAX_RESOLVER_FILE: Final = 64 << 10


class Resolver(NamedTuple):
    """A resolv.conf; `forwarded` says that it names FORWARDED_NAMESERVER."""

    text: str
    forwarded: bool


def hosts_file(hostname: str, extra: Iterable[tuple[str, str]]) -> str:
    """The text of /etc/hosts with `extra` (name, address) pairs, as BuildKit writes it."""
    lines = [
        f"127.0.0.1\tlocalhost {hostname or DEFAULT_HOSTNAME}",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        *(f"{address}\t{name}" for name, address in extra),
    ]
    return "".join(f"{line}\n" for line in lines)


def host_resolver_files() -> tuple[str, ...]:
    """The host's resolver configurations, the one that is in force first."""
    return tuple(_read(path) for path in _RESOLVER_FILES if path.is_file())


def resolver(network: Network, host_files: Iterable[str]) -> Resolver:
    """The resolv.conf of a step on `network`, given the texts of the host's own."""
    files = tuple(host_files)
    if network == "none":
        return Resolver("", forwarded=False)
    if network == "host":
        return Resolver(files[0] if files else "", forwarded=False)
    for text in files:
        if any(_is_usable(line) for line in text.splitlines()):
            return Resolver(_without_loopback(text), forwarded=False)
    rest = _without_loopback(files[0]) if files else ""
    return Resolver(f"{rest}nameserver {FORWARDED_NAMESERVER}\n", forwarded=True)


def _without_loopback(text: str) -> str:
    kept = (line for line in text.splitlines() if _nameserver(line) is None or _is_usable(line))
    return "".join(f"{line}\n" for line in kept)


def _is_usable(line: str) -> bool:
    address = _nameserver(line)
    # An address with a zone names an interface that only the host has.
    return address is not None and address != "::1" and not address.startswith("127.") and "%" not in address


def _nameserver(line: str) -> str | None:
    words = line.split()
    return words[1] if len(words) > 1 and words[0] == "nameserver" else None


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_MAX_RESOLVER_FILE).decode("utf-8", "replace")
