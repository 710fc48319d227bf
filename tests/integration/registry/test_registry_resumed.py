"""Pushes that were killed: what a registry has got by then is not sent again."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Final

import pytest
from faulty_proxy import when

from tests.integration.conftest import COMMAND
from tests.unit.registry.tiny_registry import serve_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from faulty_proxy import FaultyProxy
    from faulty_proxy import Handler as ProxyHandler
    from peers import Served

    from builder.oci.descriptor import Descriptor
    from builder.store.embedded import EmbeddedStore
    from tests.unit.registry.tiny_registry import Handler, TinyRegistry

_GOT: Final = 2_000_000
_CHUNK: Final = 1 << 16


@pytest.fixture
def tiny() -> Iterator[TinyRegistry]:
    """A registry that keeps what came of a request that was cut, as the specification wants."""
    with serve_registry() as served:
        yield served


def push(root: Path, name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [COMMAND, "--root", root, "push", name],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
    )


def must_push(root: Path, name: str) -> None:
    process = push(root, name)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said.decode()


def kill_midway(tiny: TinyRegistry, root: Path, name: str) -> None:
    """A push of which the registry has got two of three megabytes of each layer when it is killed."""
    got = threading.Semaphore(0)

    def take_some(handler: Handler) -> bool:
        if handler.command != "PUT" or int(handler.headers.get("Content-Length", 0)) < _GOT:
            return False
        upload = handler.registry.uploads[handler.path.partition("/uploads/")[2].partition("?")[0]]
        while len(upload) < _GOT:
            upload += handler.rfile.read1(min(_CHUNK, _GOT - len(upload)))
        got.release()
        while handler.rfile.read1(_CHUNK):
            pass
        handler.close_connection = True
        return True

    tiny.misbehave = [take_some]
    process = push(root, name)
    assert got.acquire(timeout=30) and got.acquire(timeout=30)
    process.kill()
    process.communicate()
    tiny.misbehave = []
    tiny.requests.clear()
    tiny.headers.clear()


def test_a_push_that_was_killed_goes_on_where_it_was(
    tiny: TinyRegistry, store: EmbeddedStore, image: Descriptor, tmp_path: Path
) -> None:
    name = f"{tiny.host}/sample:1"
    store.images.set(name, image)
    kill_midway(tiny, tmp_path / "root", name)
    must_push(tmp_path / "root", name)
    ranges = [each["content-range"] for each in tiny.headers if "content-range" in each]
    assert ranges == [f"{_GOT}-2999999"] * 2
    assert tiny.asked("POST", "") == []


def test_an_upload_at_another_address_is_never_taken_up(
    tiny: TinyRegistry, store: EmbeddedStore, image: Descriptor, tmp_path: Path
) -> None:
    name = f"{tiny.host}/sample:1"
    store.images.set(name, image)
    kill_midway(tiny, tmp_path / "root", name)
    for remembered in (tmp_path / "root/uploads").iterdir():
        remembered.write_text("http://127.0.0.1:9/v2/sample/blobs/uploads/1")
    must_push(tmp_path / "root", name)
    assert not any("content-range" in each for each in tiny.headers)


def test_an_upload_that_holds_something_else_is_begun_again(
    tiny: TinyRegistry, store: EmbeddedStore, image: Descriptor, tmp_path: Path
) -> None:
    name = f"{tiny.host}/sample:1"
    store.images.set(name, image)
    kill_midway(tiny, tmp_path / "root", name)
    for upload in tiny.uploads.values():
        upload[:] = b"?" * len(upload)
    must_push(tmp_path / "root", name)
    assert any("content-range" in each for each in tiny.headers)
    assert list((tmp_path / "root/uploads").iterdir()) == []


def test_a_registry_that_forgets_what_was_cut_gets_only_that_layer_again(
    plain: Served, faulty: FaultyProxy, store: EmbeddedStore, image: Descriptor, tmp_path: Path
) -> None:
    name = f"{faulty.host}/sample:1"
    store.images.set(name, image)
    got = threading.Event()

    def stall(handler: ProxyHandler) -> None:
        handler.forward(send=_GOT)
        got.set()
        handler.proxy.stop.wait(20)

    fault = when("PUT", "blobs/uploads", stall)
    faulty.faults.append(
        lambda handler: int(handler.headers["Content-Length"] or 0) > _GOT and fault(handler)
    )
    process = push(tmp_path / "root", name)
    assert got.wait(30)
    while len(list(plain.storage.glob("docker/registry/v2/blobs/sha256/*/*/data"))) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.communicate()
    faulty.faults.clear()
    faulty.requests.clear()
    must_push(tmp_path / "root", name)
    assert len(faulty.asked("PUT", "blobs/uploads")) == 1
