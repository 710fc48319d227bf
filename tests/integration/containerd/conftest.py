"""Real containerd daemons, of the machine's release and of a newer one, and a namespace for each test."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from containerd_daemon import containerd, is_installed

from builder.store.containerd.store import ContainerdStore
from builder.store.layout.reader import open_layout
from builder.store.transfer import copy_image
from fixtures.errors import FixtureError
from fixtures.peers.root import engine_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from containerd_daemon import Daemon

    from builder.store.containerd.address import Address
    from builder.store.layout.reader import LayoutReader
    from builder.store.protocol import Image

NAME: Final = "docker.io/library/busybox:test"


@pytest.fixture(scope="session", params=["machine", "newest"])
def daemon(request: pytest.FixtureRequest) -> Iterator[Daemon]:
    with containerd(_root(request.param)) as started:
        yield started


@pytest.fixture
def address(daemon: Daemon, request: pytest.FixtureRequest) -> Address:
    """A namespace of the test's own."""
    return daemon.address(f"test-{os.urandom(6).hex()}")


@pytest.fixture
def store(address: Address) -> Iterator[ContainerdStore]:
    with ContainerdStore(address) as opened:
        yield opened
        _empty(opened)


@pytest.fixture
def ctr(daemon: Daemon, address: Address) -> Callable[..., str]:
    """Containerd's own client in the test's namespace."""
    return lambda *arguments: daemon.ctr(*arguments, namespace=address.namespace)


@pytest.fixture
def layout(busybox_layout: Path, tmp_path: Path) -> Iterator[LayoutReader]:
    """An image for six platforms."""
    with open_layout(busybox_layout, scratch=tmp_path) as reader:
        yield reader


@pytest.fixture
def busybox(store: ContainerdStore, layout: LayoutReader) -> Image:
    (image,) = copy_image(layout, layout.find(None), store, names=[NAME])
    return image


def _root(which: str) -> Path:
    if which == "machine":
        if not is_installed():
            pytest.skip("containerd and ctr are not installed")
        return Path("/")
    try:
        return engine_root(os.environ)
    except FixtureError as error:
        pytest.skip(f"the newest containerd cannot be had here: {error}")


def _empty(store: ContainerdStore) -> None:
    # What is left in one namespace would not have to be sent to the next.
    for image in store.images.all():
        store.images.delete(image.name)
    for blob in store.content.walk():
        store.content.delete(blob.digest)
