"""Images moved into real Docker Engines, and what an engine's store is beside the others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Peer

    from tests.integration.conftest import RunDockyard

pytestmark = pytest.mark.root


def test_an_index_moves_to_an_engine_with_the_containerd_store_only(
    dockyard: RunDockyard, busybox_layout: Path, peer: Peer
) -> None:
    dockyard("load", "-q", "-i", str(busybox_layout), "-t", "moved:1")
    at_engine = {"DOCKER_HOST": peer.host}

    done = dockyard("store", "move", "moved:1", "--to", "docker", environment=at_engine)

    assert (done.returncode == 0) == peer.has_containerd_store, done.stderr
    assert ("moved:1" in peer.images()) == peer.has_containerd_store
    assert bool(dockyard("images", "-q").stdout) != peer.has_containerd_store


def test_the_engine_is_listed_with_its_images(
    dockyard: RunDockyard, busybox_layout: Path, containerd: Peer
) -> None:
    at_engine = {"DOCKER_HOST": containerd.host}
    dockyard("load", "-q", "-i", str(busybox_layout), "-t", "listed:1")
    dockyard("store", "move", "listed:1", "--to", "docker", environment=at_engine)

    lines = dockyard("store", "ls", "--format", "json", environment=at_engine).stdout.splitlines()

    listed = json.loads(lines[-1])
    assert listed["driver"]["store"] == f"Docker Engine at {containerd.host}"
    assert listed["images"] >= 1 and listed["size"] > 0
