"""`-o type=registry`, `push=true` and `--push`: what a real registry holds when the build is done."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.registry.peers import Served, serve_docker_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Project

pytestmark = pytest.mark.root
IMAGE = ("--target", "image", "--metadata-file", "metadata")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Served]:
    with serve_docker_registry(tmp_path / "registry") as served:
        yield served


def manifest(registry: Served, name: str) -> dict[str, Any]:
    """The document of that name, as skopeo fetches it."""
    command = ["skopeo", "--insecure-policy", "inspect", "--raw", "--tls-verify=false"]
    done = subprocess.run(
        [*command, f"docker://{registry.host}/{name}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def digest(project: Project) -> str:
    return str(json.loads((project.folder / "metadata").read_text())["containerimage.digest"])


@pytest.mark.parametrize("how", [("--push",), ("-o", "type=registry"), ("-o", "type=image,push=true")])
def test_the_registry_gets_the_index_of_all_platforms(
    project: Project, registry: Served, how: tuple[str, ...]
) -> None:
    two = ("--platform", "linux/amd64,linux/arm64")
    project.must_build("-t", f"{registry.host}/a/b:1", *how, *two, *IMAGE)
    assert len(manifest(registry, "a/b:1")["manifests"]) == 2
    assert manifest(registry, f"a/b@{digest(project)}") == manifest(registry, "a/b:1")


def test_a_push_by_digest_leaves_no_tag(project: Project, registry: Served) -> None:
    output = f"type=image,name={registry.host}/a,push-by-digest=true,push=true,store=false"
    project.must_build("-o", output, *IMAGE)
    assert manifest(registry, f"a@{digest(project)}")["layers"]
    assert not (registry.storage / "docker/registry/v2/repositories/a/_manifests/tags").exists()


def test_estargz_layers_arrive_with_their_annotations(project: Project, registry: Served) -> None:
    project.must_build("-o", f"type=registry,name={registry.host}/lazy,compression=estargz", *IMAGE)
    annotations = manifest(registry, "lazy")["layers"][-1]["annotations"]
    assert "containerd.io/snapshot/stargz/toc.digest" in annotations


def test_dockers_types_arrive_as_such(project: Project, registry: Served) -> None:
    project.must_build("-o", f"type=registry,name={registry.host}/types,oci-mediatypes=false", *IMAGE)
    found = manifest(registry, "types")
    assert found["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    assert {each["mediaType"] for each in found["layers"]} == {
        "application/vnd.docker.image.rootfs.diff.tar.gzip"
    }


def test_one_build_goes_to_registry_archive_and_directory(project: Project, registry: Served) -> None:
    project.must_build(
        "-t", f"{registry.host}/all:1", "--push", "-o", "type=oci,tar=false,dest=layout", "-o", "out", *IMAGE
    )
    assert project.document("layout") == manifest(registry, "all:1")
    assert (project.folder / "out/made").exists()
