"""A registry on the loopback of an engine's own network."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Peer

REGISTRY: Final = "127.0.0.1:5000"


@contextmanager
def registry_beside(peer: Peer, folder: Path, *, storage: Path) -> Iterator[None]:
    """Serves `storage` to `peer` at `REGISTRY`; `folder` is for the configuration."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not installed")
    config = {
        "version": "0.1",
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(storage)}},
        "http": {"addr": REGISTRY},
    }
    (folder / "beside.yml").write_text(json.dumps(config))
    beside = ["nsenter", f"--target={peer.network}", "--net"]
    process = subprocess.Popen([*beside, program, "serve", folder / "beside.yml"])
    try:
        _await_answer(beside)
        yield
    finally:
        process.kill()
        process.wait()


def _await_answer(beside: list[str]) -> None:
    ask = [*beside, "bash", "-c", f"exec 3<>/dev/tcp/{REGISTRY.replace(':', '/')}"]
    deadline = time.monotonic() + 20
    while subprocess.run(ask, stderr=subprocess.DEVNULL, check=False).returncode:
        assert time.monotonic() < deadline, "docker-registry does not answer"
        time.sleep(0.05)
