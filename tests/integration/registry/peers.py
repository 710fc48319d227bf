"""The real `docker-registry`, with the certificates and tokens that it is to trust."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# `tester` with the password `correct horse`, as bcrypt: the only form that the registry takes.
HTPASSWD: Final = "tester:$2b$05$SRYAOEJ3Txh9xwV44gClf.Pi7eMGe4R9AFV6.18mM8VIVi8CkD3HC\n"
USER, PASSWORD = "tester", "correct horse"
_STARTS_WITHIN: Final = 15
"""Seconds that a registry gets to come up."""


class Served(NamedTuple):
    """A registry that answers; `process` may be killed by whoever wants it gone."""

    host: str
    process: subprocess.Popen[bytes]
    storage: Path


@contextmanager
def serve_docker_registry(folder: Path, **settings: object) -> Iterator[Served]:
    """A registry with its storage in `folder`; `settings` replace top-level members of its configuration."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    http = {"addr": f"127.0.0.1:{port}", "secret": "secret", "relativeurls": True}
    config = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        **settings,
        "http": {**http, **dict(settings.get("http", {}))},  # type: ignore[call-overload]
    }
    # JSON is YAML, too.
    (folder / "config.yml").write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", folder / "config.yml"], stdout=log, stderr=log)
    try:
        _wait_until_open(port, process, folder / "log")
        yield Served(f"127.0.0.1:{port}", process, folder / "data")
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait_until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, "docker-registry does not answer"
            time.sleep(0.02)
        else:
            return


class Certificates(NamedTuple):
    """An authority with a server's and a client's certificate; PEM files."""

    authority: Path
    server: tuple[Path, Path]
    client: tuple[Path, Path]


def make_certificates(folder: Path) -> Certificates:
    """Certificates for 127.0.0.1, valid for a day."""
    folder.mkdir(parents=True)
    authority = _issue(folder, "authority", "basicConstraints=critical,CA:TRUE", None)
    server = _issue(folder, "server", "subjectAltName=IP:127.0.0.1", authority)
    client = _issue(folder, "client", "extendedKeyUsage=clientAuth", authority)
    return Certificates(authority[0], server, client)


def _issue(folder: Path, name: str, extension: str, by: tuple[Path, Path] | None) -> tuple[Path, Path]:
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    issuer = ["-CA", by[0], "-CAkey", by[1]] if by else []
    _openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
        "-subj", f"/CN={name}", "-addext", extension, "-keyout", key, "-out", certificate, *issuer,
    )  # fmt: skip
    return certificate, key


def _openssl(*arguments: str | Path, stdin: bytes = b"") -> bytes:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    done = subprocess.run(["openssl", *map(str, arguments)], input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


class TokenServer(NamedTuple):
    """An authorisation server, its settings for the registry, and the scopes that it was asked for."""

    auth: dict[str, object]
    asked: list[list[str]]


@contextmanager
def serve_tokens(folder: Path) -> Iterator[TokenServer]:
    """Gives the user `tester` what they ask for, and everybody the right to pull."""
    folder.mkdir(parents=True)
    key, certificate = folder / "tokens.key", folder / "tokens.crt"
    _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=tokens",
             "-keyout", key, "-out", certificate)  # fmt: skip
    asked: list[list[str]] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            pass

        def do_GET(self) -> None:
            scopes = parse_qs(urlsplit(self.path).query).get("scope", [])
            asked.append(scopes)
            shown = self.headers.get("Authorization", "")
            expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            if shown not in ("", expected):
                self.send_error(401)
                return
            body = json.dumps({"token": _token(scopes, key, certificate, everything=bool(shown))}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        realm = f"http://127.0.0.1:{server.server_port}/token"
        auth = {"realm": realm, "service": "registry", "issuer": "tests", "rootcertbundle": str(certificate)}
        try:
            yield TokenServer({"token": auth}, asked)
        finally:
            server.shutdown()
            thread.join()


def _token(scopes: list[str], key: Path, certificate: Path, *, everything: bool) -> str:
    """A JSON web token that grants `scopes`, or of them only pulling. Source: RFC 7519."""
    access = []
    for scope in scopes:
        kind, name, actions = scope.split(":")
        granted = [action for action in actions.split(",") if everything or action == "pull"]
        access.append({"type": kind, "name": name, "actions": granted})
    der = "".join(certificate.read_text().splitlines()[1:-1])
    now = int(time.time())
    header = {"typ": "JWT", "alg": "RS256", "x5c": [der]}
    claims = {
        "iss": "tests",
        "aud": "registry",
        "sub": USER,
        "nbf": now - 60,
        "exp": now + 300,
        "access": access,
    }
    signed = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(claims).encode())}"
    signature = _openssl("dgst", "-sha256", "-sign", key, stdin=signed.encode())
    return f"{signed}.{_encoded(signature)}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
