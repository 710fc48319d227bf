"""Repositories over HTTP that only opens to who has a token, served by git's own program behind a server."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from building import Outcome, Project

pytestmark = pytest.mark.root
TOKEN = "canary-of-git-5f3a"
BASIC = "basic " + base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()


class GitHandler(BaseHTTPRequestHandler):
    """Hands requests with the right header on to `git http-backend`; notes the headers of all."""

    folder: ClassVar[str] = ""
    wanted: ClassVar[str] = ""
    seen: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        authorization = self.headers.get("Authorization")
        self.seen.append(authorization)
        if (authorization or "").lower() != self.wanted.lower():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.end_headers()
            return
        self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def do_POST(self) -> None:
        self.do_GET()

    def _answer(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        request = {
            "GIT_PROJECT_ROOT": self.folder, "GIT_HTTP_EXPORT_ALL": "1", "REQUEST_METHOD": self.command,
            "PATH_INFO": path, "QUERY_STRING": query, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)), "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "REMOTE_ADDR": "127.0.0.1",
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
        }  # fmt: skip
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            env={**os.environ, **request},
            capture_output=True,
            check=True,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def serving(folder: Path, wanted: str) -> Iterator[str]:
    """Serves the repositories below `folder` to who sends the header `wanted`; gives the address of the folder."""
    handler = type("Handler", (GitHandler,), {"folder": str(folder), "wanted": wanted, "seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


def build(project: Project, address: str, *secrets: str, value: str = TOKEN) -> Outcome:
    given = [f"--secret=id={name},env=CANARY" for name in secrets]
    arguments = project.build_arguments(f"FROM scratch\nADD {address}/r.git /d/\n", "-t", "x", *given)
    return project.dockyard(*arguments, environment={"CANARY": value})


def test_a_token_opens_a_repository(project: Project, repository: Path) -> None:
    with serving(repository.parent, BASIC) as address:
        outcome = build(project, address, "GIT_AUTH_TOKEN")
    assert outcome.code == 0, outcome.err


def test_a_header_is_sent_as_it_was_given(project: Project, repository: Path) -> None:
    with serving(repository.parent, "Bearer canary") as address:
        outcome = build(project, address, "GIT_AUTH_HEADER", value="Bearer canary")
    assert outcome.code == 0, outcome.err


def test_a_token_for_a_host_goes_to_that_host_and_port_alone(project: Project, repository: Path) -> None:
    with serving(repository.parent, BASIC) as address:
        opened = build(project, address, f"GIT_AUTH_TOKEN.{urlsplit(address).netloc}")
        other = build(project, address, "GIT_AUTH_TOKEN.127.0.0.1:1")
    assert (opened.code, other.code) == (0, 1), opened.err


def test_without_a_token_the_build_fails_and_asks_nobody(project: Project, repository: Path) -> None:
    with serving(repository.parent, BASIC) as address:
        outcome = build(project, address)
    assert outcome.code == 1 and "Traceback" not in outcome.err


@pytest.mark.parametrize("value", [TOKEN, "wrong-" + TOKEN])
def test_a_token_is_in_no_output_and_in_no_file(project: Project, repository: Path, value: str) -> None:
    with serving(repository.parent, BASIC) as address:
        outcome = build(project, address, "GIT_AUTH_TOKEN", value=value)
    encoded = base64.b64encode(f"x-access-token:{value}".encode())
    kept = [path for path in project.root.rglob("*") if path.is_file() and not path.is_symlink()]
    leaks = [path for path in kept for secret in (value.encode(), encoded) if secret in path.read_bytes()]
    assert leaks == [] and TOKEN not in outcome.err + outcome.out
