"""A Docker Engine for the session."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from builders import Builders

from fixtures.errors import FixtureError
from fixtures.peers.engine import DockerEngine, running_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def docker_engine(state_folder: Path) -> Iterator[DockerEngine]:
    """A Docker Engine with the containerd image store; a machine that cannot have one skips."""
    if os.geteuid() != 0:
        pytest.skip("a Docker Engine of our own needs root")
    engine = running_engine(state_folder)
    try:
        started = engine.__enter__()
    except FixtureError as error:
        pytest.skip(f"no Docker Engine to compare with: {error}")
    yield started
    engine.__exit__(None, None, None)


@pytest.fixture(scope="session")
def builders(
    docker_engine: DockerEngine, state_folder: Path, busybox_layout: Path, debian_layout: Path
) -> Builders:
    """Both builders; each case gets a folder of its own."""
    bases = {"busybox": docker_engine.shared / "busybox", "debian": docker_engine.shared / "debian"}
    shutil.copytree(busybox_layout, bases["busybox"])
    shutil.copytree(debian_layout, bases["debian"])
    return Builders(docker_engine, root=state_folder / "conformance", bases=bases)
