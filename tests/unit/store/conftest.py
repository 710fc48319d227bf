"""Stores of every kind: each backend meets the whole suite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from containerd_daemon import containerd, is_installed

from builder.store.selection import DRIVERS, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from containerd_daemon import Daemon

    from builder.store.embedded import EmbeddedStore
    from builder.store.protocol import Lease, Store

DAEMON: Final = "containerd-daemon"


@pytest.fixture(params=[*sorted(DRIVERS), pytest.param(DAEMON, marks=pytest.mark.root)])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == DAEMON:
        yield from _daemon_store(request.getfixturevalue("daemon"))
        return
    with open_store(tmp_path / "root", driver=request.param) as opened:
        yield opened


@pytest.fixture
def any_lease(any_store: Store) -> Iterator[Lease]:
    with any_store.lease() as lease:
        yield lease


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    with open_store(tmp_path / "root") as opened:
        yield opened


@pytest.fixture(scope="session")
def daemon() -> Iterator[Daemon]:
    if not is_installed():
        pytest.skip("containerd and ctr are not installed")
    with containerd() as started:
        yield started


def _daemon_store(daemon: Daemon) -> Iterator[Store]:
    from builder.store.containerd.store import ContainerdStore

    with ContainerdStore(daemon.address()) as opened:
        yield opened
        for image in opened.images.all():
            opened.images.delete(image.name)
        for blob in opened.content.walk():
            opened.content.delete(blob.digest)
