"""Calls to a containerd daemon: over its socket, in one namespace, with its errors as ours.

Nothing here knows what a call means. A call has a deadline unless it moves or unpacks data, because a daemon
that hangs must end in a message, not in a command that hangs with it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar, cast
from urllib.parse import quote

import grpc

from builder.store.containerd.errors import (
    AlreadyExists,
    ConnectionLost,
    DaemonError,
    Locked,
    NotFound,
    Rejected,
)
from builder.store.containerd.schema import messages_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from google.protobuf.message import Message

    from builder.store.containerd.address import Address
    from builder.store.containerd.methods import Method
    from builder.store.errors import StoreError

Answer = TypeVar("Answer")

DEADLINE: Final = 60.0
"""Seconds that a call may take which only looks things up or changes records."""

_MESSAGE_LIMIT: Final = 16 << 20
_OPTIONS: Final = (
    # The daemon's own limits. Source: containerd, defaults/defaults.go.
    ("grpc.max_receive_message_length", _MESSAGE_LIMIT),
    ("grpc.max_send_message_length", _MESSAGE_LIMIT),
    # Else the socket's path is sent as host name, which servers written in Go may refuse.
    ("grpc.default_authority", "localhost"),
    ("grpc.enable_http_proxy", 0),
)
_ERRORS: Final[dict[grpc.StatusCode, type[StoreError]]] = {
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: Rejected,
    grpc.StatusCode.OUT_OF_RANGE: Rejected,
    grpc.StatusCode.INVALID_ARGUMENT: Rejected,
    grpc.StatusCode.DEADLINE_EXCEEDED: ConnectionLost,
}
_OF_THE_DAEMON: Final = ": unavailable"
"""How the daemon ends a message of this class; those of grpc itself end otherwise."""


class Connection:
    """A daemon and a namespace. Safe to share between threads. Close it."""

    def __init__(self, address: Address) -> None:
        """Connects with the first call."""
        self.address = address
        self._channel = grpc.insecure_channel(f"unix:{quote(address.socket)}", options=_OPTIONS)

    def call(
        self,
        method: Method[Answer],
        /,
        *,
        lease: str | None = None,
        namespace: str | None = None,
        deadline: float | None = DEADLINE,
        **fields: object,
    ) -> Answer:
        """One answer to a request of `fields`. `namespace` None is the connection's own; `deadline` in seconds.

        Raises: ConnectionLost, DaemonError and its kinds.
        """
        messages = messages_of(method)
        function = self._channel.unary_unary(
            method.path,
            request_serializer=messages.request.SerializeToString,
            response_deserializer=messages.answer.FromString,
        )
        with self._explained():
            answer = function(
                messages.request(**fields), timeout=deadline, metadata=self._metadata(lease, namespace)
            )
        return cast("Answer", answer)

    def stream(self, method: Method[Answer], /, **fields: object) -> Generator[Answer, None, None]:
        """The answers to a request of `fields`; closing the generator ends the call.

        Raises: ConnectionLost, DaemonError and its kinds, while they come.
        """
        messages = messages_of(method)
        function = self._channel.unary_stream(
            method.path,
            request_serializer=messages.request.SerializeToString,
            response_deserializer=messages.answer.FromString,
        )
        call = function(messages.request(**fields), metadata=self._metadata(None, None))
        try:
            with self._explained():
                for answer in call:
                    yield cast("Answer", answer)
        finally:
            call.cancel()  # type: ignore[no-untyped-call]  # an oversight of grpc's stubs

    def converse(
        self, method: Method[Answer], requests: Iterator[dict[str, object]], *, lease: str | None
    ) -> Generator[Answer, None, None]:
        """Answers to requests of these fields as they come, from another thread; else like `stream`."""
        messages = messages_of(method)
        function = self._channel.stream_stream(
            method.path,
            request_serializer=messages.request.SerializeToString,
            response_deserializer=messages.answer.FromString,
        )
        call = function(_messages(messages.request, requests), metadata=self._metadata(lease, None))
        try:
            with self._explained():
                for answer in call:
                    yield cast("Answer", answer)
        finally:
            call.cancel()  # type: ignore[no-untyped-call]  # an oversight of grpc's stubs

    def close(self) -> None:
        """Ends the connection and what is still under way on it."""
        self._channel.close()

    def _metadata(self, lease: str | None, namespace: str | None) -> tuple[tuple[str, str], ...]:
        namespaced = ("containerd-namespace", namespace or self.address.namespace)
        return (namespaced, ("containerd-lease", lease)) if lease else (namespaced,)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            # The class that callers see carries no code; every error that is raised is also a Call, which does.
            call = cast("grpc.Call", error)
            raise _explanation(self.address, call.code(), call.details() or "") from error


def _messages(kind: type[Message], requests: Iterable[dict[str, object]]) -> Iterator[Message]:
    return (kind(**fields) for fields in requests)


def _explanation(address: Address, code: grpc.StatusCode, details: str) -> StoreError:
    if code is grpc.StatusCode.UNAVAILABLE:
        kind: type[StoreError] = Locked if details.endswith(_OF_THE_DAEMON) else ConnectionLost
    else:
        kind = _ERRORS.get(code, DaemonError)
    if kind is ConnectionLost:
        # What grpc tried and how, with the operating system's reason at the end.
        reason = details.rpartition("error: ")[2]
        return ConnectionLost(
            f"containerd at {address.url} does not answer: {reason}",
            hint="check that it runs, that the address is right and that you may use its socket",
        )
    return kind(f"containerd at {address.url}: {details}")
