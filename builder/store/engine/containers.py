"""One container at a Docker Engine, with this process's own streams, gone when its program has ended."""

from __future__ import annotations

import os
import select
import socket
import threading
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.digest import CHUNK
from builder.store.layout.output import write_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import APIClient

    from builder.oci.digest import Digest
    from builder.store.engine.engine import Engine
    from builder.store.engine.wishes import ContainerWishes

_ERRORS: Final = 2
"""The stream of the program's standard error, as the engine numbers it."""


class Streams(msgspec.Struct, frozen=True):
    """Descriptors of the caller's; none is closed."""

    stdin: int
    stdout: int
    stderr: int


def run_container(engine: Engine, image: Digest, wishes: ContainerWishes, streams: Streams) -> int:
    """Runs a program of `image`; its exit code. The container is removed, however this ends.

    Raises: EngineError; OSError when `streams` cannot be written.
    """
    client = engine.client
    with engine.errors("docker run"), ExitStack() as stack:
        container = _create(client, image, wishes)
        stack.callback(client.remove_container, container, force=True, v=True)
        link = _attach(client, container, wishes)
        stack.callback(link.close)
        client.start(container)
        if wishes.terminal:
            stack.enter_context(_raw_terminal(streams.stdin))
            _resize(client, container, streams.stdin)
        if wishes.interactive:
            stack.enter_context(_fed(link, streams.stdin))
        _copy_output(link, wishes, streams)
        return int(client.wait(container)["StatusCode"])


def _create(client: APIClient, image: Digest, wishes: ContainerWishes) -> str:
    created = client.create_container(
        image,
        command=list(wishes.args) or None,
        entrypoint=None if wishes.entrypoint is None else [wishes.entrypoint],
        environment=[f"{name}={value}" for name, value in wishes.env] or None,
        working_dir=wishes.cwd or None,
        user=wishes.user or None,
        hostname=wishes.hostname or None,
        platform=str(wishes.platform) if wishes.platform else None,
        stdin_open=wishes.interactive,
        tty=wishes.terminal,
        host_config=client.create_host_config(network_mode=wishes.network),
    )
    return str(created["Id"])


def _attach(client: APIClient, container: str, wishes: ContainerWishes) -> socket.socket:
    wanted = {"stream": 1, "stdout": 1, "stderr": 1, "stdin": int(wishes.interactive)}
    stream = client.attach_socket(container, params=wanted)
    link = socket.socket(fileno=os.dup(stream.fileno()))
    # A program may be silent for as long as it likes.
    link.settimeout(None)
    return link


def _resize(client: APIClient, container: str, terminal: int) -> None:
    from docker.errors import APIError

    columns, lines = os.get_terminal_size(terminal)
    # A program that has ended already needs no size.
    with suppress(APIError):
        client.resize(container, height=lines, width=columns)


def _copy_output(link: socket.socket, wishes: ContainerWishes, streams: Streams) -> None:
    from docker.utils.socket import frames_iter

    for number, chunk in frames_iter(link, wishes.terminal):
        write_all(streams.stderr if number == _ERRORS else streams.stdout, chunk)


@contextmanager
def _fed(link: socket.socket, source: int) -> Iterator[None]:
    """Passes what comes from `source` on to the program, until either ends."""
    ended, end = os.pipe()

    def feed() -> None:
        try:
            while source in select.select([source, ended], [], [])[0]:
                chunk = os.read(source, CHUNK)
                if not chunk:
                    link.shutdown(socket.SHUT_WR)
                    return
                link.sendall(chunk)
        except OSError:
            # The program has gone; its exit code says why.
            pass

    thread = threading.Thread(target=feed, name="docker-run", daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.close(end)
        thread.join()
        os.close(ended)


@contextmanager
def _raw_terminal(fd: int) -> Iterator[None]:
    """Every key goes to the program, and the terminal is as it was afterwards."""
    import termios
    import tty

    before = termios.tcgetattr(fd)
    tty.setraw(fd)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
