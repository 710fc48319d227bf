"""Servers on the loopback that tests of remote sources ask: files over HTTP, and git repositories."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = b"hello"


class Handler(BaseHTTPRequestHandler):
    """Serves `files`; notes what it was asked."""

    files: ClassVar[dict[str, bytes]] = {}
    moved: ClassVar[dict[str, str]] = {}
    asked: ClassVar[list[tuple[str, int]]] = []
    headers_seen: ClassVar[list[dict[str, str]]] = []

    def do_GET(self) -> None:
        self.headers_seen.append(dict(self.headers))
        body = self.files.get(self.path)
        etag = f'"{sha256(body).hexdigest()}"' if body is not None else ""
        unchanged = body is not None and self.headers.get("If-None-Match") == etag
        status = 404 if body is None else 304 if unchanged else 200
        target = self.moved.get(self.path)
        status = status if target is None else 302
        self.asked.append((self.path, status))
        self.send_response(status)
        self.send_header("ETag", etag)
        self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
        self.send_header("Location", target or "")
        self.send_header("Content-Disposition", "attachment; filename=../../evil")
        self.end_headers()
        if status == 200 and body is not None:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def serving() -> Iterator[str]:
    """An HTTP server; gives its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Returns when somebody listens there."""
    for _ in range(100):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nobody listens at port {port}")


def git(where: Path, *arguments: str) -> str:
    identity = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    environment = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *arguments], cwd=where, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextmanager
def git_daemon(folder: Path) -> Iterator[str]:
    """Serves the repositories below `folder`; gives the address of the folder."""
    port = free_port()
    daemon = subprocess.Popen(
        ["git", "daemon", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}", "--export-all",
         f"--base-path={folder}", str(folder)],
        stderr=subprocess.DEVNULL, env={**os.environ, "HOME": "/nonexistent", "GIT_CONFIG_COUNT": "1",
             "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"},
    )  # fmt: skip
    try:
        wait_for(port)
        yield f"git://127.0.0.1:{port}"
    finally:
        daemon.terminate()
        daemon.wait()


@contextmanager
def ssh_server(folder: Path) -> Iterator[int]:
    """An SSH server for root, whom the key `folder`/user opens it; gives its port. Its own key is `folder`/host."""
    for name in ("user", "host", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    Path("/run/sshd").mkdir(exist_ok=True)
    port = free_port()
    settings = (
        f"ListenAddress=127.0.0.1:{port}", f"HostKey={folder / 'host'}", "PidFile=none", "UsePAM=no",
        f"AuthorizedKeysFile={folder / 'user.pub'}", "StrictModes=no", "PermitRootLogin=yes",
    )  # fmt: skip
    flags = [f"-o{each}" for each in settings]
    server = subprocess.Popen(
        ["/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", *flags], stderr=subprocess.DEVNULL
    )
    try:
        wait_for(port)
        yield port
    finally:
        server.terminate()
        server.wait()


@contextmanager
def ssh_agent(folder: Path, *keys: str) -> Iterator[Path]:
    """A real agent with keys of `folder`; gives its socket."""
    path = folder / "agent.sock"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            if path.exists():
                break
            time.sleep(0.05)
        environment = {**os.environ, "SSH_AUTH_SOCK": str(path)}
        for key in keys:
            subprocess.run(["ssh-add", "-q", folder / key], env=environment, check=True)
        yield path
    finally:
        agent.terminate()
        agent.wait()
