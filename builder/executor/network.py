"""The networks that a step can be on.

`default` is one private network namespace for all steps of a build, with user-mode NAT by pasta, which starts
when the first step needs it. The step must not reach what listens on the host's loopback, nor the host what
listens in the step: pasta's forwarding of ports and of the gateway's address is turned off. A host
that has no way out itself gives its steps a namespace with loopback only, rather than an error.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from typing import TYPE_CHECKING, Final

from builder.executor import layout
from builder.executor.signals import restore_signals
from builder.system.linux import CLONE_NEWNET, MS_BIND, mount, setns, unshare

if TYPE_CHECKING:
    from typing import NoReturn

    from builder.executor.wire import Settings

# Link-local, so no route of the host can ever claim it.
FORWARDED_NAMESERVER: Final = "169.254.1.1"

_NO_FORWARDING: Final = "--no-map-gw -t none -u none -T none -U none".split()
_SIOCGIFFLAGS: Final = 0x8913
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 0x1
_REJECTING_ROUTE: Final = 0x200


def enter_network(mode: str, shared: int | None) -> None:
    """Moves this process to the network `mode`; `shared` is the namespace of `default`."""
    if mode == "host":
        return
    if mode == "default" and shared is not None:
        setns(shared, CLONE_NEWNET)
    else:
        unshare(CLONE_NEWNET)
        _bring_loopback_up()


def become_network(settings: Settings, log: str) -> NoReturn:
    """Makes the shared namespace, and ends this process with status 0 when it works; text goes to `log`."""
    output = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    os.dup2(output, 2)
    restore_signals()
    target = f"{settings.run_dir}/{layout.NETWORK}"
    maker = os.fork()
    if maker == 0:
        status = 1
        try:
            enter_network("none", None)
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            mount("/proc/self/ns/net", target, flags=MS_BIND)
            status = 0
        except OSError as error:
            os.write(2, f"cannot make a network namespace: {error}".encode())
        finally:
            os._exit(status)
    _, status = os.waitpid(maker, 0)
    if status != 0:
        os._exit(1)
    if not _host_has_a_route():
        os._exit(0)
    forward = ["--dns-forward", FORWARDED_NAMESERVER] if settings.forward_dns else []
    # Without --runas it becomes nobody, who may not enter the namespace.
    arguments = ["--quiet", "--config-net", "--runas", "0", *_NO_FORWARDING, *forward, "--netns", target]
    try:
        # It goes into the background when the network is ready, and ends with the supervisor's namespace.
        os.execv(settings.pasta, [settings.pasta, *arguments])
    except OSError as error:
        os.write(2, f"cannot start {settings.pasta}: {error}".encode())
        os._exit(1)


def _bring_loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack_from("h", fcntl.ioctl(handle, _SIOCGIFFLAGS, request), 16)[0]
        fcntl.ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def _host_has_a_route() -> bool:
    return any(map(_is_default_route, _table("/proc/net/route"))) or any(
        map(_is_default_route6, _table("/proc/net/ipv6_route"))
    )


def _is_default_route(fields: list[str]) -> bool:
    return fields[1] == "00000000" and fields[7] == "00000000"


def _is_default_route6(fields: list[str]) -> bool:
    return fields[0] == "0" * 32 and fields[1] == "00" and not int(fields[8], 16) & _REJECTING_ROUTE


def _table(path: str) -> list[list[str]]:
    try:
        with open(path, encoding="ascii") as file:
            return [line.split() for line in file]
    except FileNotFoundError:
        return []
