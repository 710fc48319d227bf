"""A stand-in for the cache service of GitHub Actions, with both of its protocols.

It keeps to what the real one says of entries: a key is written once; the newest entry whose key begins with a text
is found; blobs lie at addresses that are signed and take no token.
"""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNATURE = "sig=of-the-service"


def make_token(*, permission: int = 3, scope: str = "refs/heads/main") -> str:
    """A token as a workflow gets it; nobody checks its signature."""
    access = json.dumps([{"Scope": scope, "Permission": permission}])
    parts = ({"alg": "none"}, {"ac": access, "exp": 1 << 40, "nbf": 0})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "c2VjcmV0"])


class GithubService:
    """What the service holds. `refused` counts requests that came without the token, or with it to a blob."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.address = ""
        self.entries: dict[str, int] = {}
        self.contents: dict[int, bytearray] = {}
        self.complete: list[int] = []
        self.requests: list[tuple[str, str]] = []
        self.refused = 0
        self.busy = 0
        self.lock = Lock()

    def find(self, key: str) -> tuple[str, int] | None:
        """The newest complete entry that begins with `key`."""
        found = [
            (name, number)
            for name, number in self.entries.items()
            if name.startswith(key) and number in self.complete
        ]
        return max(found, key=lambda each: self.complete.index(each[1]), default=None)

    def reserve(self, key: str) -> int | None:
        """The number of a new entry; None when there is one of that key."""
        with self.lock:
            if key in self.entries:
                return None
            number = self.entries[key] = len(self.entries) + 1
            self.contents[number] = bytearray()
            return number

    def drop(self, part: str) -> int:
        """Forgets the entries whose key holds `part`, as the service does with old ones; returns how many."""
        gone = [key for key in self.entries if part in key]
        for key in gone:
            self.complete.remove(self.entries.pop(key))
        return len(gone)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: GithubService

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""

    def handle_any(self) -> None:
        service = self.service
        service.requests.append((self.command, self.path))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        has_token = self.headers.get("Authorization") == f"Bearer {service.token}"
        is_blob = self.path.startswith("/blobs/")
        if has_token == is_blob or (is_blob and SIGNATURE not in self.path):
            service.refused += 1
            return self.answer(401)
        if service.busy:
            service.busy -= 1
            return self.answer(429, headers={"Retry-After": "0"})
        if is_blob:
            return self.blob(body)
        if "twirp" in self.path:
            return self.twirp(json.loads(body))
        return self.rest(body)

    do_GET = do_PUT = do_POST = do_PATCH = handle_any  # noqa: N815

    def rest(self, body: bytes) -> None:
        url = urlsplit(self.path)
        parts = url.path.removeprefix("/_apis/artifactcache/").split("/")
        match self.command, *parts:
            case "GET", "cache":
                found = self.service.find(parse_qs(url.query)["keys"][0])
                if found is None:
                    return self.answer(204)
                return self.answer(200, {"cacheKey": found[0], "archiveLocation": self.location(found[1])})
            case "POST", "caches":
                number = self.service.reserve(json.loads(body)["key"])
                return self.answer(409 if number is None else 201, {"cacheId": number})
            case "PATCH", "caches", id:
                content = self.service.contents[int(id)]
                start = int(self.headers["Content-Range"].split()[1].partition("-")[0])
                content[start : start + len(body)] = body
                return self.answer(204)
            case "POST", "caches", id:
                assert json.loads(body)["size"] == len(self.service.contents[int(id)])
                self.service.complete.append(int(id))
                return self.answer(204)
        return self.answer(404)

    def twirp(self, asked: dict[str, Any]) -> None:
        match self.path.rpartition("/")[2]:
            case "GetCacheEntryDownloadURL":
                found = self.service.find(asked["key"])
                if found is None:
                    return self.answer(200, {"ok": False})
                location = self.location(found[1])
                return self.answer(
                    200, {"ok": True, "matched_key": found[0], "signed_download_url": location}
                )
            case "CreateCacheEntry":
                number = self.service.reserve(asked["key"])
                if number is None:
                    return self.answer(409, {"code": "already_exists"})
                return self.answer(200, {"ok": True, "signed_upload_url": self.location(number)})
            case "FinalizeCacheEntryUpload":
                number = self.service.entries[asked["key"]]
                assert int(asked["size_bytes"]) == len(self.service.contents[number])
                self.service.complete.append(number)
                return self.answer(200, {"ok": True, "entry_id": str(number)})
        return self.answer(404)

    def blob(self, body: bytes) -> None:
        url = urlsplit(self.path)
        number = int(url.path.rpartition("/")[2])
        if self.command == "GET":
            return self.answer(200, bytes(self.service.contents[number]))
        query = parse_qs(url.query)
        if "comp" not in query:
            assert self.headers["x-ms-blob-type"] == "BlockBlob"
            self.service.contents[number][:] = body
        elif query["comp"] == ["block"]:
            self.service.contents[number] += body
        return self.answer(201)

    def location(self, number: int) -> str:
        return f"{self.service.address}blobs/{number}?{SIGNATURE}"

    def answer(self, status: int, body: object = b"", headers: dict[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if status != 204:
            self.wfile.write(content)


@contextmanager
def serve_github(token: str) -> Iterator[GithubService]:
    """The service on a loopback port."""
    service = GithubService(token)
    handler = type("Handler", (_Handler,), {"service": service})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    service.address = f"http://127.0.0.1:{server.server_port}/"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
