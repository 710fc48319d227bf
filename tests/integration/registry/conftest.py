"""Real registries on loopback ports, and stores with something to push."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from faulty_proxy import FaultyProxy, serve_faults
from peers import Served, serve_docker_registry

from builder.oci.config import ImageConfig, RootFS, encode_config
from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.manifest import encode_document, image_manifest
from builder.oci.mediatypes import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from builder.registry.limits import Limits
from builder.registry.registries import Registries
from builder.store.imagegraph import labels_for
from builder.store.selection import open_store
from fixtures.errors import FixtureError
from fixtures.peers.cosign import SUITES, Cosign, Suite, cosign_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.store.embedded import EmbeddedStore

FAST = Limits(attempts=3, first_wait=0, silence=10)
LAYER_SIZE = 3_000_000


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Served]:
    """A registry for everybody, over plain HTTP."""
    with serve_docker_registry(tmp_path / "plain") as served:
        yield served


@pytest.fixture
def faulty(plain: Served) -> Iterator[FaultyProxy]:
    """The way to `plain` on which things go wrong."""
    with serve_faults(plain.host) as proxy:
        yield proxy


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Configuration folders of this test."""
    return {
        "HOME": str(tmp_path / "home"),
        "DOCKYARD_HOSTS_DIR": str(tmp_path / "certs.d"),
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "PATH": os.environ["PATH"],
    }


@pytest.fixture
def registries(environment: dict[str, str]) -> Iterator[Registries]:
    with Registries(environment, limits=FAST) as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    with open_store(tmp_path / "root") as opened:
        yield opened


@pytest.fixture
def other_store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    with open_store(tmp_path / "other root") as opened:
        yield opened


def log_in(environment: dict[str, str], host: str, username: str, password: str) -> None:
    """What `docker login` writes."""
    folder = Path(environment["DOCKER_CONFIG"])
    folder.mkdir()
    entry = {"username": username, "password": password}
    (folder / "config.json").write_text(json.dumps({"auths": {host: entry}}))


@pytest.fixture
def image(store: EmbeddedStore) -> Descriptor:
    """An image of two layers that are large enough to be cut."""
    layers = [bytes([number]) * LAYER_SIZE for number in (1, 2)]
    config = encode_config(
        ImageConfig(architecture="amd64", os="linux", rootfs=RootFS(diff_ids=tuple(map(Digest.of, layers))))
    )
    document = image_manifest(
        _describe(config, OCI_CONFIG), tuple(_describe(each, OCI_LAYER) for each in layers)
    )
    encoded = encode_document(document)
    target = _describe(encoded, OCI_MANIFEST)
    with store.lease() as lease:
        for content in (*layers, config):
            lease.content.put(content)
        lease.content.put(encoded, labels=labels_for(document))
        store.images.set("docker.io/library/sample:1", target)
    return target


def _describe(content: bytes, media_type: str) -> Descriptor:
    return Descriptor(media_type=media_type, digest=Digest.of(content), size=len(content))


@pytest.fixture(params=SUITES)
def cosign(request: pytest.FixtureRequest, tmp_path: Path) -> Cosign:
    """Each cosign that there is, with an empty home."""
    suite: Suite = request.param
    try:
        root = cosign_root(suite, os.environ)
    except FixtureError as error:
        pytest.skip(f"cosign of {suite} cannot be had here: {error}")
    home = tmp_path / "cosign"
    home.mkdir()
    return Cosign(suite, root, home)
