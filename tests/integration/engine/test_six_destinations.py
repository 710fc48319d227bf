"""One build, six destinations in one command, and the same index wherever an index is kept."""

from __future__ import annotations

import json
import subprocess
import tarfile
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.containerd_daemon import Daemon, containerd, is_installed
from tests.integration.registry.peers import serve_docker_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Peer, Project

    from tests.integration.conftest import RunDockyard

pytestmark = pytest.mark.root


class Delivered(NamedTuple):
    """What `build` delivered under `name`, whose index is `digest`."""

    name: str
    digest: str
    folder: Path
    engine: Peer
    daemon: Daemon
    dockyard: RunDockyard


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    if not is_installed():
        pytest.skip("containerd and ctr are not installed")
    with containerd() as started:
        yield started


@pytest.fixture
def delivered(
    project: Project, request: pytest.FixtureRequest, daemon: Daemon, dockyard: RunDockyard, tmp_path: Path
) -> Iterator[Delivered]:
    engine: Peer = request.getfixturevalue("containerd")
    with serve_docker_registry(tmp_path / "registry") as registry:
        name = f"{registry.host}/app:1"
        outputs = (
            "type=image",
            f"type=image,store={daemon.address().url}",
            "type=docker",
            "type=registry",
            "type=oci,dest=app.tar",
            "type=local,dest=files",
        )
        words = [word for output in outputs for word in ("-o", output)]
        digest = project.must_build(engine, "-t", name, "--platform", "linux/amd64,linux/arm64", *words)
        yield Delivered(name, digest, project.folder, engine, daemon, dockyard)


def test_every_destination_has_the_index_of_one_build(delivered: Delivered) -> None:
    assert found_everywhere(delivered) == dict.fromkeys(
        ("embedded", "containerd", "engine", "registry", "archive"), delivered.digest
    )
    for platform in ("linux_amd64", "linux_arm64"):
        assert (delivered.folder / "files" / platform / "made").read_text() == "made\n"


def found_everywhere(delivered: Delivered) -> dict[str, str]:
    """The digest of the root that each destination has."""
    embedded = json.loads(delivered.dockyard("images", "--format", "json").stdout.splitlines()[0])
    (listed,) = delivered.daemon.ctr("images", "ls", f"name=={delivered.name}").splitlines()[1:]
    with tarfile.open(delivered.folder / "app.tar") as archive:
        member = archive.extractfile("index.json")
        assert member is not None
        (entry,) = json.load(member)["manifests"]
    command = ["skopeo", "--insecure-policy", "inspect", "--tls-verify=false", "--format", "{{.Digest}}"]
    pushed = subprocess.run(
        [*command, f"docker://{delivered.name}"], capture_output=True, text=True, timeout=60, check=True
    )
    return {
        "embedded": embedded["id"],
        "containerd": next(word for word in listed.split() if word.startswith("sha256:")),
        "engine": delivered.engine.images()[delivered.name],
        "registry": pushed.stdout.strip(),
        "archive": entry["digest"],
    }
