"""What dockyard pushes and writes is read by the clients that people have: crane, oras, skopeo, umoci, buildx."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, get_args

import pytest

from fixtures.errors import FixtureError
from fixtures.peers.clients import Client, Program, open_client

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from peers import Served

    from tests.integration.conftest import RunDockyard  # type: ignore[import-not-found]

    Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """What a client answers; the test is skipped when its packages cannot be had."""

    def run(program: Program, *arguments: str | Path) -> str:
        try:
            client = open_client(program, tmp_path, os.environ)
        except FixtureError as error:
            pytest.skip(f"no {program}: {error}")
        done = client(*arguments)
        assert done.returncode == 0, f"{program} {arguments}: {done.stderr}"
        return done.stdout

    return run


@pytest.fixture
def pushed(plain: Served, dockyard: RunDockyard, busybox_layout: Path) -> tuple[str, str]:
    """An image for six platforms at a registry: its name and digest."""
    name = f"{plain.host}/a/busybox:1"
    dockyard("load", "-q", "-i", str(busybox_layout), "-t", name)
    done = dockyard("push", name)
    assert done.returncode == 0, done.stderr
    return name, done.stdout.split()[2]


@pytest.fixture
def layout(dockyard: RunDockyard, busybox_layout: Path, tmp_path: Path) -> Path:
    """The OCI archive that `dockyard save` writes of it."""
    dockyard("load", "-q", "-i", str(busybox_layout), "-t", "busybox:1")
    path = tmp_path / "saved.tar"
    done = dockyard("save", "-o", str(path), "busybox:1")
    assert done.returncode == 0, done.stderr
    return path


def test_every_client_of_the_packages_is_there(tmp_path: Path) -> None:
    try:
        for program in get_args(Program):
            assert isinstance(open_client(program, tmp_path, os.environ), Client)
    except FixtureError as error:
        pytest.skip(f"no clients: {error}")


def test_crane_finds_the_digest_and_validates_every_layer(run: Run, pushed: tuple[str, str]) -> None:
    name, digest = pushed
    assert run("crane", "digest", name).strip() == digest
    run("crane", "validate", "--remote", name)


def test_crane_reads_the_config_of_a_platform(run: Run, pushed: tuple[str, str]) -> None:
    config = json.loads(run("crane", "config", "--platform", "linux/arm64", pushed[0]))
    assert config["architecture"] == "arm64"


def test_crane_copies_the_image_with_its_digest(run: Run, plain: Served, pushed: tuple[str, str]) -> None:
    copied = f"{plain.host}/b/copied:1"
    run("crane", "copy", pushed[0], copied)
    assert run("crane", "digest", copied).strip() == pushed[1]


def test_oras_shows_the_index_and_fetches_the_manifest_of_a_platform(
    run: Run, pushed: tuple[str, str]
) -> None:
    name, digest = pushed
    described = json.loads(run("oras", "manifest", "fetch", "--plain-http", "--descriptor", name))
    assert described["digest"] == digest
    manifest = run("oras", "manifest", "fetch", "--plain-http", "--platform", "linux/arm64", name)
    assert len(json.loads(manifest)["layers"]) == 1


def test_oras_copies_the_image_out_of_our_archive(run: Run, layout: Path, plain: Served) -> None:
    copied = f"{plain.host}/oras/copied:1"
    run("oras", "copy", "--from-oci-layout", f"{layout}:1", "--to-plain-http", copied)
    index = json.loads(run("crane", "manifest", copied))
    assert len(index["manifests"]) == 6


def test_skopeo_copies_all_platforms_and_keeps_the_digest(
    run: Run, plain: Served, pushed: tuple[str, str]
) -> None:
    copied = f"{plain.host}/skopeo/copied:1"
    plain_http = ("--src-tls-verify=false", "--dest-tls-verify=false")
    run(
        "skopeo", "--insecure-policy", "copy", "--all", "--preserve-digests", *plain_http,
        f"docker://{pushed[0]}", f"docker://{copied}",
    )  # fmt: skip
    assert run("crane", "digest", copied).strip() == pushed[1]


def test_skopeo_reads_our_archive(run: Run, layout: Path) -> None:
    assert len(json.loads(run("skopeo", "inspect", "--raw", f"oci-archive:{layout}"))["manifests"]) == 6


def test_umoci_lists_the_tags_of_a_layout_that_skopeo_copied(run: Run, layout: Path, tmp_path: Path) -> None:
    target = tmp_path / "copied"
    run("skopeo", "--insecure-policy", "copy", f"oci-archive:{layout}", f"oci:{target}:one")
    assert run("umoci", "list", "--layout", target).split() == ["one"]


def test_buildx_shows_every_platform_of_the_image(run: Run, pushed: tuple[str, str]) -> None:
    shown = run("buildx", "imagetools", "inspect", pushed[0])
    assert f"Digest:    {pushed[1]}" in shown
    assert shown.count("Platform:") == 6
