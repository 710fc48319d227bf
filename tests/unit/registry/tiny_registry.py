"""A registry in this process, on a loopback port, that can be told to misbehave.

It keeps everything in memory and does just what the distribution specification says, resumed uploads
included. A misbehaviour takes the place of one answer, or of several.
"""

from __future__ import annotations

import itertools
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from builder.oci.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Misbehaviour = Callable[["Handler"], bool]
    """Answers in place of the registry and returns True, or leaves it to do so."""

CHUNK: Final = 1 << 16


class TinyRegistry:
    """What the registry holds, and what it was asked."""

    def __init__(self, port: int) -> None:
        self.host = f"127.0.0.1:{port}"
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.uploads: dict[str, bytearray] = {}
        self.requests: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.misbehave: list[Misbehaviour] = []
        self.sessions = itertools.count(1)
        self._lock = threading.Lock()

    @property
    def base(self) -> str:
        return f"http://{self.host}"

    def note(self, handler: Handler) -> bool:
        """Records the request; True if a misbehaviour has answered it."""
        with self._lock:
            self.requests.append((handler.command, handler.path))
            self.headers.append({name.lower(): value for name, value in handler.headers.items()})
            candidates = list(self.misbehave)
        return any(each(handler) for each in candidates)

    def asked(self, method: str, part: str) -> list[str]:
        """Paths of the requests of that method whose path holds `part`."""
        return [path for made, path in self.requests if made == method and part in path]

    def add_image(self, name: str, root: str, blobs: dict[Digest, bytes], *, tag: str = "1") -> None:
        """Gives the repository `name` an image whose documents are known by their looks."""
        for digest, content in blobs.items():
            media_type = re.search(rb'"mediaType":\s*"([^"]+)"', content[:200])
            if media_type and b'"schemaVersion"' in content:
                self.manifests[name, digest] = media_type[1].decode(), content
            else:
                self.blobs[name, digest] = content
        self.manifests[name, tag] = self.manifests[name, root]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    registry: TinyRegistry
    # Head and body in one piece: small answers must not wait for the other side's acknowledgement.
    wbufsize = -1

    def log_message(self, *_arguments: object) -> None:
        """Nothing: the test says what it wants to know."""

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Sends a whole answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def refuse(self, status: int, code: str, **headers: str) -> None:
        """Sends an error as the specification has it."""
        body = f'{{"errors":[{{"code":"{code}","message":"about {code.lower()}"}}]}}'.encode()
        self.reply(status, body, Content_Type="application/json", **headers)

    def read_body(self, limit: int | None = None) -> bytes:
        """What the request brings; at most `limit` bytes of it."""
        left = int(self.headers.get("Content-Length", 0))
        return self.rfile.read(left if limit is None else min(limit, left))

    def handle_one_request(self) -> None:
        """As usual; a client that goes away is no news."""
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _answer(self) -> None:
        if self.registry.note(self):
            return
        url = urlsplit(self.path)
        found = re.fullmatch(r"/v2/(.+)/(manifests|blobs|uploads)/([^/]*)", url.path)
        if found is None:
            self.reply(200, b"{}")
            return
        name, kind, what = found.groups()
        if kind == "uploads":
            self._upload(name.removesuffix("/blobs"), what, parse_qs(url.query))
        elif kind == "manifests":
            self._manifest(name, what)
        else:
            self._blob(name, what)

    def _manifest(self, name: str, what: str) -> None:
        registry = self.registry
        if self.command == "PUT":
            content = self.read_body()
            digest = Digest.of(content)
            registry.manifests[name, what] = registry.manifests[name, digest] = (
                self.headers["Content-Type"],
                content,
            )
            self.reply(201, Docker_Content_Digest=digest)
        elif (name, what) in registry.manifests:
            media_type, content = registry.manifests[name, what]
            digest = Digest.of(content)
            length = {"Content_Length": str(len(content))}
            self.reply(200, content, Content_Type=media_type, Docker_Content_Digest=digest, **length)
        else:
            self.refuse(404, "MANIFEST_UNKNOWN")

    def _blob(self, name: str, what: str) -> None:
        content = self.registry.blobs.get((name, what))
        if content is None:
            self.refuse(404, "BLOB_UNKNOWN")
            return
        begin = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if begin:
            first = int(begin[1])
            span = f"bytes {first}-{len(content) - 1}/{len(content)}"
            self.reply(206, content[first:], Content_Range=span)
        else:
            self.reply(200, content, Content_Length=str(len(content)))

    def _upload(self, name: str, session: str, query: dict[str, list[str]]) -> None:
        registry = self.registry
        if self.command == "POST":
            self._open_upload(name, query)
            return
        if session not in registry.uploads:
            self.refuse(404, "BLOB_UPLOAD_UNKNOWN")
            return
        upload = registry.uploads[session]
        location = f"/v2/{name}/blobs/uploads/{session}"
        if self.command == "GET":
            self.reply(204, Range=f"0-{max(0, len(upload) - 1)}", Location=location)
            return
        self._receive(upload)
        if self.command == "PATCH":
            self.reply(202, Location=location, Range=f"0-{len(upload) - 1}")
        elif Digest.of(bytes(upload)) == query["digest"][0]:
            registry.blobs[name, query["digest"][0]] = bytes(registry.uploads.pop(session))
            self.reply(201, Docker_Content_Digest=query["digest"][0])
        else:
            self.refuse(400, "DIGEST_INVALID")

    def _receive(self, upload: bytearray) -> None:
        """Takes the body in as it comes, so that what came before a cut is there."""
        left = int(self.headers.get("Content-Length", 0))
        while left and (chunk := self.rfile.read1(min(left, CHUNK))):
            upload += chunk
            left -= len(chunk)
        if left:
            raise ConnectionResetError

    def _open_upload(self, name: str, query: dict[str, list[str]]) -> None:
        registry = self.registry
        if "mount" in query and (query["from"][0], query["mount"][0]) in registry.blobs:
            registry.blobs[name, query["mount"][0]] = registry.blobs[query["from"][0], query["mount"][0]]
            self.reply(201)
            return
        session = str(next(registry.sessions))
        registry.uploads[session] = bytearray()
        self.reply(202, Location=f"/v2/{name}/blobs/uploads/{session}")


@contextmanager
def serve_registry() -> Iterator[TinyRegistry]:
    """A new registry for the length of the block."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    class Bound(Handler):
        pass

    server = Server(("127.0.0.1", 0), Bound)
    Bound.registry = TinyRegistry(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Bound.registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def when(method: str, part: str, act: Callable[[Handler], None], *, times: int = 1) -> Misbehaviour:
    """Answers the next `times` requests of that method whose path holds `part` with `act`."""
    left = [times]

    def misbehave(handler: Handler) -> bool:
        if handler.command != method or part not in handler.path or not left[0]:
            return False
        left[0] -= 1
        act(handler)
        return True

    return misbehave


def refused(status: int, code: str, **headers: str) -> Callable[[Handler], None]:
    """Says no."""
    return lambda handler: (handler.read_body(), handler.refuse(status, code, **headers))[1]


def cut_after(size: int) -> Callable[[Handler], None]:
    """Sends the beginning of a blob, from where it was asked for, and hangs up."""

    def act(handler: Handler) -> None:
        name, digest = urlsplit(handler.path).path.removeprefix("/v2/").split("/blobs/")
        content = handler.registry.blobs[name, digest]
        begin = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        handler.send_response(206 if begin else 200)
        if begin:
            handler.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(content) - begin))
        handler.end_headers()
        handler.wfile.write(content[begin : begin + size])
        handler.wfile.flush()
        handler.close_connection = True

    return act
