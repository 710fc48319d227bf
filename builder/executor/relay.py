"""A socket of a step at which an SSH agent of the caller answers.

The caller's own socket keeps its owner and mode, which the step may not be able to open and has no business to
see; so the step gets one of its own, and each connection to it is passed on. It lives as long as the step.
"""

from __future__ import annotations

import os
import selectors
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME: Final = "agent"
"""What the socket is called in its directory."""

_CHUNK: Final = 1 << 16


@contextmanager
def agent_socket(agent: Path, directory: Path, *, mode: int, uid: int, gid: int) -> Iterator[None]:
    """A socket in `directory`, called `NAME`, that leads to the one at `agent` while the block runs.

    Raises: OSError.
    """
    with socket.socket(socket.AF_UNIX) as listener:
        # The path of a socket may have 107 bytes only; through a descriptor it always fits.
        opened = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            listener.bind(f"/proc/self/fd/{opened}/{NAME}")
        finally:
            os.close(opened)
        (directory / NAME).chmod(mode)
        os.chown(directory / NAME, uid, gid)
        listener.listen()
        serving = threading.Thread(target=_serve, args=(listener, agent), daemon=True)
        serving.start()
        try:
            yield
        finally:
            # A close alone would leave the thread in accept.
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            serving.join()


def _serve(listener: socket.socket, agent: Path) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_pass_on, args=(client, agent), daemon=True).start()


def _pass_on(client: socket.socket, agent: Path) -> None:
    """Passes bytes on in both directions until neither side has more; an agent that is gone ends the connection."""
    with (
        client,
        socket.socket(socket.AF_UNIX) as caller,
        selectors.DefaultSelector() as ready,
        suppress(OSError),
    ):
        caller.connect(str(agent))
        ready.register(client, selectors.EVENT_READ, caller)
        ready.register(caller, selectors.EVENT_READ, client)
        while ready.get_map():
            for key, _ in ready.select():
                source, target = key.fileobj, key.data
                assert isinstance(source, socket.socket) and isinstance(target, socket.socket)
                chunk = source.recv(_CHUNK)
                if chunk:
                    target.sendall(chunk)
                else:
                    # Who has said all may still be waiting for the answer.
                    target.shutdown(socket.SHUT_WR)
                    ready.unregister(source)
