"""Engines that are not there, go away, or refuse: one clear message, and a store that is sound."""

from __future__ import annotations

import json
import os
import socketserver
import tempfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from builder.store.engine.engine import Engine, find_engine
from builder.store.engine.errors import EngineError, EngineNotFound
from builder.store.engine.places import DEFAULT_SOCKET, engine_address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Project

    from tests.integration.conftest import RunDockyard

CONTAINERD_STORE = [["driver-type", "io.containerd.snapshotter.v1"]]


class Answers(BaseHTTPRequestHandler):
    """An engine as far as its first answers; `on_load` is what it says to an image, None: it hangs up."""

    protocol_version = "HTTP/1.1"
    driver_status: ClassVar[list[list[str]]] = []
    on_load: ClassVar[bytes | None] = None

    def do_GET(self) -> None:
        if "/version" in self.path:
            self._answer({"ApiVersion": "1.41"})
        elif "/info" in self.path:
            self._answer({"DriverStatus": self.driver_status})
        else:
            self._answer({"message": "No such image"}, status=404)

    def do_POST(self) -> None:
        if self.on_load is None:
            self.close_connection = True
            return
        while int(self.rfile.readline(), 16):
            pass
        self._send(self.on_load, 200)

    def address_string(self) -> str:
        return "test"

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Nobody reads it."""

    def _answer(self, body: object, *, status: int = 200) -> None:
        self._send(json.dumps(body).encode(), status)

    def _send(self, body: bytes, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is refused hangs up."""


@contextmanager
def engine(*, driver_status: list[list[str]] | None = None, on_load: bytes | None = None) -> Iterator[str]:
    """The address of an engine that gives these answers."""
    attributes = {"driver_status": driver_status or [], "on_load": on_load}
    handler = type("Own", (Answers,), attributes)
    with tempfile.TemporaryDirectory(prefix="engine-") as folder, Server(f"{folder}/s", handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"unix://{folder}/s"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def found_engine(
    *, driver_status: list[list[str]] | None = None, on_load: bytes | None = None
) -> Iterator[Engine]:
    """That engine, as dockyard finds it."""
    with engine(driver_status=driver_status, on_load=on_load) as host:
        found = find_engine({"DOCKER_HOST": host})
        assert found is not None
        with found:
            yield found


@pytest.mark.parametrize("status", [[], CONTAINERD_STORE], ids=["classic", "containerd"])
def test_the_engine_itself_says_which_store_it_has(status: list[list[str]]) -> None:
    with found_engine(driver_status=status) as found:
        assert found.has_containerd_store == bool(status)
        assert found.capabilities.attestations == bool(status)


@pytest.mark.parametrize("host", ["unix:///nonexistent/s", "tcp://127.0.0.1:1"])
def test_an_engine_that_was_named_must_be_there(host: str) -> None:
    with pytest.raises(EngineNotFound, match=f"Cannot connect to the Docker daemon at {host}. Is the docker"):
        find_engine({"DOCKER_HOST": host})


@pytest.mark.skipif(os.path.exists(DEFAULT_SOCKET), reason="an engine may listen on this machine")
def test_without_an_engine_nobody_is_asked() -> None:
    assert find_engine({}) is None


def test_an_address_that_is_no_socket_is_taken_as_it_is() -> None:
    assert engine_address({"DOCKER_HOST": "tcp://engine.example:2376"}) == "tcp://engine.example:2376"


def test_a_socket_that_may_not_be_used_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(EngineNotFound, match="Cannot connect"):
        find_engine({"DOCKER_HOST": f"unix://{tmp_path}"})


def test_what_the_engine_refuses_is_said_in_its_words() -> None:
    refusal = b'{"errorDetail":{"message":"no space"},"error":"no space"}'
    said = pytest.raises(EngineError, match="the Docker Engine does not take the image: no space")
    with found_engine(on_load=refusal) as found, said:
        found.load(_nothing)


def _nothing(_fd: int) -> None:
    """An archive of no bytes."""


def test_an_engine_that_hangs_up_is_an_error_and_not_a_wait() -> None:
    def write(fd: int) -> None:
        for _ in range(100):
            os.write(fd, bytes(1 << 20))

    with found_engine() as found, pytest.raises(EngineError, match="docker load failed"):
        found.load(write)


def test_an_archive_that_cannot_be_written_is_not_taken_for_complete() -> None:
    def write(fd: int) -> None:
        os.write(fd, b"half")
        raise LookupError("a blob is missing")

    missing = pytest.raises(LookupError, match="a blob is missing")
    with found_engine(on_load=b'{"stream":"Loaded"}') as found, missing:
        found.load(write)


@pytest.mark.root
def test_a_build_for_an_engine_that_is_gone_ends_before_any_work(project: Project) -> None:
    done = project.build("unix:///nonexistent/s", "--load")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "[+] Building 0.0s (0/0)\nERROR: Cannot connect to the Docker daemon at unix:///nonexistent/s."
    )


@pytest.mark.root
def test_an_engine_that_goes_midway_fails_the_build_and_leaves_the_store_sound(
    project: Project, dockyard: RunDockyard
) -> None:
    with engine() as host:
        done = project.build(host, "--load", "-t", "x")
    assert done.returncode == 1 and "docker load failed at unix://" in done.stderr
    assert "Traceback" not in done.stderr
    assert dockyard("doctor").returncode in (0, 1) and dockyard("store", "gc").returncode == 0


@pytest.mark.root
@pytest.mark.skipif(os.path.exists(DEFAULT_SOCKET), reason="an engine may listen on this machine")
@pytest.mark.parametrize("how", [("--load",), ("--driver", "docker")])
def test_without_an_engine_the_image_is_in_dockyards_own_store(
    project: Project, dockyard: RunDockyard, how: tuple[str, ...]
) -> None:
    assert project.build("", "-t", "own:1", *how).returncode == 0
    if "docker" in how:
        dockyard("store", "use", "docker")
    assert json.loads(dockyard("images", "--format", "json").stdout)["name"] == "own"
