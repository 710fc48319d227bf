"""Images into real Docker Engines: what one platform, an index and a name become there."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Peer, Project

pytestmark = pytest.mark.root
TWO = ("--platform", "linux/amd64,linux/arm64")


@pytest.mark.parametrize("how", [("--load",), ("-o", "type=docker"), ("--driver", "docker")])
def test_the_engine_lists_and_runs_the_image_under_its_id(
    project: Project, peer: Peer, how: tuple[str, ...]
) -> None:
    built = project.must_build(peer, "-t", "one:1", *how)
    assert peer.images()["one:1"] == built
    assert peer.docker("run", "--rm", "--network=none", "one:1") == "made"


def test_an_image_without_name_runs_by_its_id(project: Project, peer: Peer) -> None:
    (project.folder / "Dockerfile").write_text('FROM busybox\nENV A=unnamed\nCMD ["sh", "-c", "echo $A"]\n')
    assert peer.docker("run", "--rm", "--network=none", project.must_build(peer, "--load")) == "unnamed"


@pytest.mark.parametrize("form", ["zstd", "uncompressed", "estargz"])
def test_layers_of_any_compression_are_taken(project: Project, peer: Peer, form: str) -> None:
    output = f"type=docker,name={form}:1,compression={form},force-compression=true"
    project.must_build(peer, "-o", output)
    assert peer.docker("run", "--rm", "--network=none", f"{form}:1") == "made"


def test_dockers_media_types_are_taken(project: Project, peer: Peer) -> None:
    project.must_build(peer, "-o", "type=docker,name=types:1,oci-mediatypes=false")
    assert peer.docker("run", "--rm", "--network=none", "types:1") == "made"


def test_an_image_that_is_there_gets_its_new_name_only(project: Project, peer: Peer) -> None:
    built = project.must_build(peer, "--load", "-t", "first:1")
    done = project.build(peer.host, "--load", "-t", "first:1", "-t", "second:1")
    assert peer.images()["second:1"] == built
    assert (
        "importing to docker" in done.stderr and "MB" not in done.stderr.partition("importing to docker")[2]
    )


def test_the_archive_of_type_docker_is_loaded_by_docker_itself(project: Project, peer: Peer) -> None:
    archive = peer.shared / "x.tar"
    project.must_build(peer, "-t", "archived:1", "-o", f"type=docker,dest={archive}")
    peer.docker("load", "--input", str(archive))
    assert peer.docker("run", "--rm", "--network=none", "archived:1") == "made"


@pytest.mark.parametrize("how", [("--load",), ("--driver", "docker")])
def test_the_containerd_store_keeps_the_whole_index(
    project: Project, containerd: Peer, how: tuple[str, ...]
) -> None:
    built = project.must_build(containerd, "-t", "multi:1", *how, *TWO)
    assert containerd.images()["multi:1"] == built
    assert containerd.docker("run", "--rm", "--network=none", "--platform=linux/amd64", "multi:1") == "made"
    saved = containerd.shared / "multi.tar"
    containerd.docker("save", "--output", str(saved), "multi:1")
    with tarfile.open(saved) as archive:
        assert kept(archive, built) == ["amd64", "arm64", "attestation", "attestation"]


def kept(archive: tarfile.TarFile, root: str) -> list[str]:
    """Architectures of the manifests of that index, whose configs are all there; and what is attested."""
    index = json.loads(blob(archive, root))
    manifests = [json.loads(blob(archive, each["digest"])) for each in index["manifests"]]
    configs = [json.loads(blob(archive, each["config"]["digest"])) for each in manifests]
    return [config.get("architecture", "attestation") for config in configs]


def blob(archive: tarfile.TarFile, digest: str) -> bytes:
    member = archive.extractfile(f"blobs/sha256/{digest.partition(':')[2]}")
    assert member is not None
    return member.read()


def test_the_classic_store_gets_no_index_by_its_driver(project: Project, classic: Peer) -> None:
    done = project.build(classic.host, "--driver", "docker", *TWO)
    assert done.returncode == 1
    assert done.stderr == (
        "[+] Building 0.0s (0/0)\n"
        "ERROR: Multi-platform build is not supported for the docker driver.\n"
        "Switch to a different driver, or turn on the containerd image store, and try again.\n"
        "Learn more at https://docs.docker.com/go/build-multi-platform/\n"
    )


def test_the_classic_store_gets_no_index_by_load(project: Project, classic: Peer) -> None:
    done = project.build(classic.host, "--load", *TWO)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        "[+] Building 0.0s (0/0)\n"
        "ERROR: docker exporter does not currently support exporting manifest lists\n"
    )


def test_other_outputs_go_where_they_belong_beside_the_engine(project: Project, peer: Peer) -> None:
    project.must_build(peer, "-t", "both:1", "--load", "-o", "type=oci,dest=x.tar")
    assert "both:1" in peer.images() and (project.folder / "x.tar").exists()
