"""A proxy before a real registry that loses, spoils and delays what passes through it."""

from __future__ import annotations

import http.client
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Fault = Callable[["Handler"], bool]
    """Does something else than passing the request on, and returns True; or returns False."""

_PIECE: Final = 1 << 16
_OWN: Final = frozenset({"connection", "transfer-encoding", "keep-alive", "content-length"})


class FaultyProxy:
    """What went through, and what shall go wrong."""

    def __init__(self, port: int, upstream: str) -> None:
        self.host = f"127.0.0.1:{port}"
        self.upstream = upstream
        self.requests: list[tuple[str, str]] = []
        self.faults: list[Fault] = []
        self.stop = threading.Event()

    def asked(self, method: str, part: str = "") -> list[str]:
        """Paths of the requests of that method whose path holds `part`."""
        return [path for made, path in self.requests if made == method and part in path]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    proxy: FaultyProxy

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""

    def handle_one_request(self) -> None:
        """As usual; a client that goes away is no news."""
        try:
            super().handle_one_request()
        except (ConnectionError, http.client.HTTPException):
            self.close_connection = True

    def do_GET(self) -> None:
        self.proxy.requests.append((self.command, self.path))
        if not any(fault(self) for fault in list(self.proxy.faults)):
            self.forward()

    do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def forward(
        self,
        *,
        send: int | None = None,
        receive: int | None = None,
        spoil: Callable[[bytes], bytes] = bytes,
    ) -> None:
        """Passes the request on, but hangs up after so many bytes of the body in either direction."""
        upstream = http.client.HTTPConnection(self.proxy.upstream, timeout=30)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() != "connection":
                    upstream.putheader(name, value)
            upstream.endheaders()
            if self._pass(self.rfile, upstream.send, int(self.headers.get("Content-Length", 0)), send):
                self._answer(upstream.getresponse(), receive, spoil)
        finally:
            upstream.close()

    def _answer(
        self, response: http.client.HTTPResponse, receive: int | None, spoil: Callable[[bytes], bytes]
    ) -> None:
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in _OWN:
                self.send_header(name, value)
        length = int(response.getheader("Content-Length") or 0)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self._pass(response, lambda piece: self.wfile.write(spoil(piece)), length, receive)

    def _pass(self, source: object, sink: Callable[[bytes], object], length: int, limit: int | None) -> bool:
        """Copies; False, and the connection ends, when `limit` comes before the end."""
        left = length if limit is None else min(limit, length)
        while left and (piece := source.read(min(left, _PIECE))):  # type: ignore[attr-defined]
            sink(piece)
            left -= len(piece)
        if limit is not None and limit < length:
            self.close_connection = True
            return False
        return True


@contextmanager
def serve_faults(upstream: str) -> Iterator[FaultyProxy]:
    """A proxy before the registry at `upstream`."""

    class Bound(Handler):
        pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Bound) as server:
        proxy = Bound.proxy = FaultyProxy(server.server_port, upstream)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.stop.set()
            server.shutdown()
            thread.join()


def when(method: str, part: str, act: Callable[[Handler], None], *, times: int = 1) -> Fault:
    """Does `act` with the next `times` requests of that method whose path holds `part`."""
    left = [times]

    def fault(handler: Handler) -> bool:
        if handler.command != method or part not in handler.path or not left[0]:
            return False
        left[0] -= 1
        act(handler)
        return True

    return fault


def cut_answer(handler: Handler) -> None:
    """Half a megabyte, then nothing."""
    handler.forward(receive=500_000)


def cut_request(handler: Handler) -> None:
    """The registry gets half a megabyte, then nothing; the client no answer."""
    handler.forward(send=500_000)


def spoil(handler: Handler) -> None:
    """The right number of wrong bytes."""
    handler.forward(spoil=lambda piece: bytes(len(piece)))


def stall(handler: Handler) -> None:
    """No answer as long as the test lasts."""
    handler.proxy.stop.wait()
    handler.close_connection = True


def overload(status: int) -> Callable[[Handler], None]:
    """Says that it cannot."""

    def act(handler: Handler) -> None:
        handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        handler.send_response(status)
        handler.send_header("Retry-After", "0")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return act
