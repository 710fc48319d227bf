"""Which servers answer for a registry, and how to talk to them.

A registry's name in an image reference is a namespace: its server may have another name (as Docker Hub's
has), mirrors may stand in front of it. Without configuration a registry is its own only host, over verified
TLS. The one exception is this machine itself, as in Docker: a registry on a loopback address may have any
certificate, or speak plain HTTP.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from builder.oci.reference import DEFAULT_DOMAIN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Capability: TypeAlias = Literal["pull", "resolve", "push", "referrers"]
ALL: Final[frozenset[Capability]] = frozenset({"pull", "resolve", "push", "referrers"})

_HUB: Final = "registry-1.docker.io"
_SYSTEM_DIRECTORIES: Final = ("/etc/dockyard/certs.d", "/etc/containerd/certs.d", "/etc/docker/certs.d")
_VARIABLE: Final = "DOCKYARD_HOSTS_DIR"


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """How to trust a server, and how it may trust us.

    `authorities` are PEM files, added to the system's. `clients` are pairs of certificate and key files; the
    key is None where the certificate's file holds it, too.
    """

    authorities: tuple[Path, ...] = ()
    clients: tuple[tuple[Path, Path | None], ...] = ()
    verify: bool = True


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """A server that answers for a registry.

    `url` ends where paths of the protocol begin, usually with `/v2`. `plain_fallback`: if the server does not
    speak TLS, plain HTTP will do. `mirror`: it stands in for a registry of another name.
    """

    url: str
    capabilities: frozenset[Capability] = ALL
    tls: Tls = Tls()
    headers: tuple[tuple[str, str], ...] = ()
    dial_seconds: float = 30
    plain_fallback: bool = False
    mirror: bool = False

    @property
    def name(self) -> str:
        """Host and port: the key of its credentials."""
        return self.url.split("/")[2]


def server_of(domain: str) -> str:
    """Host and port of the server of the registry `domain`; only Docker Hub's has another name."""
    return _HUB if domain == DEFAULT_DOMAIN else domain


def is_loopback(name: str) -> bool:
    """Whether `name`, with or without a port, is this machine."""
    bare = name.rpartition("]")[0].removeprefix("[") if name.startswith("[") else name.partition(":")[0]
    if bare == "localhost" or bare.endswith(".localhost"):
        return True
    import ipaddress

    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def default_host(domain: str, *, tls: Tls | None = None, insecure: bool = False) -> Host:
    """The registry itself. `insecure` accepts any certificate, and plain HTTP."""
    server = server_of(domain)
    lenient = insecure or (is_loopback(server) and tls is None)
    return Host(
        url=f"https://{server}/v2",
        tls=Tls(verify=False) if lenient else tls or Tls(),
        plain_fallback=lenient,
    )


def host_directories(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Where directories of hosts are looked for: `DOCKYARD_HOSTS_DIR`, or the user's and the system's."""
    if named := environment.get(_VARIABLE):
        return tuple(Path(each) for each in named.split(":") if each)
    home = environment.get("XDG_CONFIG_HOME") or str(Path(environment.get("HOME", "/")) / ".config")
    return (Path(home) / "dockyard" / "certs.d", *map(Path, _SYSTEM_DIRECTORIES))


def hosts_of(domain: str, directories: Sequence[Path], *, insecure: bool = False) -> tuple[Host, ...]:
    """The hosts of the registry `domain`, in the order in which to try them.

    The first directory that says something about the registry is used alone. `insecure` is the caller's word
    for this registry, and makes configuration moot.
    Raises: InvalidConfiguration. Source: containerd's docs/hosts.md.
    """
    if insecure:
        return (default_host(domain, insecure=True),)
    for directory in directories:
        for name in (_escaped(domain), domain, "_default"):
            if (found := directory / name).is_dir():
                from builder.registry.hoststoml import read_hosts

                return read_hosts(found, domain)
    return (default_host(domain),)


def _escaped(domain: str) -> str:
    name, colon, port = domain.rpartition(":")
    return f"{name}_{port}_" if colon else domain
