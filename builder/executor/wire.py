"""What the two sides of the supervisor's sockets say to each other.

The control socket carries one packet for each step to start, with the descriptors that belong to it. The first
of them is the step's own channel: the outcome comes back there, and closing it from above means "kill". So
there are no step numbers, no table of waiters, and a dead dockyard kills its steps by being dead.
Imported by the supervisor: only what starts quickly.
"""

from __future__ import annotations

import json
import os
import socket
from array import array
from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict

from builder.executor.errors import ExecutorError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.executor.mounts import MountRequest
    from builder.executor.secrets import SecretRequest
    from builder.executor.spec import Spec

# Enough for the longest outcome: a runtime's log is cut before.
MAX_PACKET: Final = 64 << 10
_MAX_MESSAGE: Final = 4 << 10
# The channel, the request, and the three standard streams.
STEP_DESCRIPTORS: Final = 5


class Settings(NamedTuple):
    """What the supervisor is told once, as an argument of its command.

    `pasta` is the program that gives a private network its way out; `forward_dns`: it also answers at
    FORWARDED_NAMESERVER.
    """

    trees_dir: str
    run_dir: str
    runtime_kind: str
    runtime_path: str
    pasta: str
    forward_dns: bool

    def encode(self) -> str:
        """As text for a command line."""
        return json.dumps(self)

    @classmethod
    def decode(cls, text: str) -> Settings:
        """The settings that `encode` made `text` from."""
        return cls(*json.loads(text))


class Request(TypedDict):
    """A step, in a memory file: as large as its arguments and environment are.

    `lower` are tree names, topmost first; `upper` and `work` paths, or None when what the step writes is
    thrown away. `emulation` is a line for binfmt_misc. `insecure`: the step may use devices of the host.
    """

    lower: Sequence[str]
    upper: str | None
    work: str | None
    user: str
    network: str
    emulation: str | None
    insecure: bool
    hosts: str
    resolver: str
    secrets: Sequence[SecretRequest]
    mounts: Sequence[MountRequest]
    spec: Spec


class Outcome(TypedDict):
    """How a step ended: the runtime's status and log, or why the container could not be made."""

    status: int
    log: str
    failure: str | None
    hint: str | None


class Order(TypedDict):
    """The packet that starts a step; the rest is in the request."""

    network: str


def failed(error: Exception) -> Outcome:
    """The outcome of a step, or of the supervisor, that `error` ended before anything ran."""
    hint = error.hint if isinstance(error, ExecutorError) else None
    message = error.message if isinstance(error, ExecutorError) else str(error)
    return Outcome(status=0, log="", failure=message[:_MAX_MESSAGE], hint=hint)


def send_outcome(channel: socket.socket, outcome: Outcome) -> None:
    """Sends `outcome`; an upper side that has gone away is no error."""
    try:
        channel.send(json.dumps(outcome).encode())
    except OSError:
        return


def receive_outcome(channel: socket.socket) -> Outcome | None:
    """The outcome; None when the supervisor ended without one."""
    try:
        packet = channel.recv(MAX_PACKET)
    except ConnectionResetError:
        return None
    if not packet:
        return None
    outcome: Outcome = json.loads(packet)
    return outcome


def send_order(control: socket.socket, order: Order, descriptors: Sequence[int]) -> None:
    """Asks for a step; `descriptors` stay open here and remain the caller's."""
    socket.send_fds(control, [json.dumps(order).encode()], list(descriptors))


def receive_order(control: socket.socket) -> tuple[Order, list[int]] | None:
    """The next step to start and its descriptors; None when the upper side is gone."""
    # Not socket.recv_fds: in Python 3.11 it drops the flag, and every other child would inherit the streams.
    space = socket.CMSG_SPACE(STEP_DESCRIPTORS * array("i").itemsize)
    packet, ancillary, _, _ = control.recvmsg(MAX_PACKET, space, socket.MSG_CMSG_CLOEXEC)
    if len(packet) == 0:
        return None
    order: Order = json.loads(packet)
    descriptors = array("i")
    for _, _, payload in ancillary:
        descriptors.frombytes(payload)
    return order, descriptors.tolist()


def write_request(request: Request) -> int:
    """A memory file that holds `request`; the caller closes the descriptor."""
    return memory_file("request", json.dumps(request).encode())


def read_request(descriptor: int) -> Request:
    """The request in a memory file, which is closed."""
    with os.fdopen(descriptor, "rb") as file:
        file.seek(0)
        request: Request = json.load(file)
    return request


def memory_file(name: str, content: bytes, *, flags: int = 0) -> int:
    """A new memory file with `content`; the caller closes the descriptor."""
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC | flags)
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    return descriptor
