"""Where a Docker Engine may listen, and whether one does.

Most machines that build with dockyard have no engine. To learn that must cost one system call and not the import of
an HTTP client, so the socket is tried here, before anything of the `docker` package is loaded.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from builder.store.engine.errors import EngineNotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_SOCKET: Final = "/var/run/docker.sock"
_UNIX: Final = "unix://"


def engine_address(environ: Mapping[str, str]) -> str | None:
    """Where the engine of this environment is: what DOCKER_HOST says, else the usual socket if one listens there.

    None: nobody has asked for an engine, and there is none. Raises: EngineNotFound when DOCKER_HOST names a
    socket where nobody listens, and when the usual one may not be used.
    """
    named = environ.get("DOCKER_HOST", "")
    path = named.removeprefix(_UNIX) if named else DEFAULT_SOCKET
    if named and not named.startswith(_UNIX):
        return named
    try:
        _try(path)
    except PermissionError as error:
        raise EngineNotFound(
            f"permission denied while trying to connect to the Docker daemon socket at {_UNIX}{path}",
            hint="use sudo, or another store: --driver containerd",
        ) from error
    except OSError as error:
        if not named:
            return None
        raise unreachable(named) from error
    return _UNIX + path


def unreachable(address: str) -> EngineNotFound:
    """The error of an address where no engine answers."""
    return EngineNotFound(
        f"Cannot connect to the Docker daemon at {address}. Is the docker daemon running?",
        hint="start it, or correct DOCKER_HOST, or unset it to keep images in dockyard's own store",
    )


def _try(path: str) -> None:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as trial:
        trial.connect(os.fsencode(path))
