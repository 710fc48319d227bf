"""Images cross over to other programs and back: skopeo, umoci and buildah, the real ones."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from builder.oci.digest import Digest
from builder.oci.reference import parse_reference
from builder.platforms import Platform
from builder.store.check import check
from builder.store.imagegraph import resolve_platform
from builder.store.layout.importer import import_layout, load_layout
from builder.store.layout.reader import open_layout
from builder.store.selection import open_store
from exporter.oci import layout_entries, write_oci
from exporter.outputs import OciOutput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from builder.oci.descriptor import Descriptor
    from builder.store.embedded import EmbeddedStore
    from builder.store.protocol import Image

AMD64 = Platform("linux", "amd64")
NAME = parse_reference("busybox:test")
ACCEPT_ANYTHING = '{"default":[{"type":"insecureAcceptAnything"}]}'


def run(*arguments: str | Path) -> str:
    done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


def skopeo(*arguments: str) -> str:
    return run("skopeo", "--insecure-policy", *arguments)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    with open_store(tmp_path / "root") as opened:
        yield opened


@pytest.fixture
def busybox(store: EmbeddedStore, busybox_layout: Path) -> Image:
    with open_layout(busybox_layout, scratch=store.root.ingests) as reader:
        (image,) = import_layout(store, reader, names=[NAME])
    return image


def export(store: EmbeddedStore, root: Descriptor, dest: Path, *, tar: bool = True) -> Path:
    write_oci(store.content, layout_entries(root, [NAME]), OciOutput(dest=dest, tar=tar), stdout=-1)
    return dest


def load(store: EmbeddedStore, path: Path) -> tuple[Image, ...]:
    with open_layout(path, scratch=store.root.ingests) as reader:
        images = load_layout(store, reader)
    assert check(store.root, store.database, verify=True) == []
    return images


def amd64(store: EmbeddedStore, image: Image) -> Descriptor:
    return resolve_platform(store.content, image.target, AMD64).descriptor


def test_skopeo_reads_the_index_of_our_archive_unchanged(
    store: EmbeddedStore, busybox: Image, tmp_path: Path
) -> None:
    raw = skopeo("inspect", "--raw", f"oci-archive:{export(store, busybox.target, tmp_path / 'x.tar')}")
    assert Digest.of(raw.encode()) == busybox.target.digest
    assert len(json.loads(raw)["manifests"]) == 6


def test_skopeo_reads_configs_and_layers_of_our_archive(
    store: EmbeddedStore, busybox: Image, tmp_path: Path
) -> None:
    archive = export(store, busybox.target, tmp_path / "x.tar")
    config = json.loads(skopeo("--override-arch", "arm64", "inspect", "--config", f"oci-archive:{archive}"))
    assert config["architecture"] == "arm64"


@pytest.mark.parametrize("tar", [True, False], ids=["archive", "directory"])
def test_an_image_comes_back_from_skopeo_with_the_same_digest(
    store: EmbeddedStore, busybox: Image, tmp_path: Path, tar: bool
) -> None:
    ours, theirs = export(store, busybox.target, tmp_path / "ours", tar=tar), tmp_path / "theirs"
    kind = "oci-archive" if tar else "oci"
    skopeo("copy", "--all", "--preserve-digests", f"{kind}:{ours}", f"{kind}:{theirs}:copied:1")
    (image,) = load(store, theirs)
    assert image.name == "docker.io/library/copied:1"
    assert image.target.digest == busybox.target.digest


@pytest.mark.parametrize("form", ["oci", "oci-archive", "docker-archive"])
def test_what_skopeo_writes_is_loaded(
    store: EmbeddedStore, busybox_layout: Path, tmp_path: Path, form: str
) -> None:
    theirs = tmp_path / "theirs"
    skopeo("--override-arch", "arm64", "copy", f"oci:{busybox_layout}:latest", f"{form}:{theirs}:made:1")
    (image,) = load(store, theirs)
    assert image.name == "docker.io/library/made:1"
    found = resolve_platform(store.content, image.target, Platform("linux", "arm64"))
    assert found.platform == Platform("linux", "arm64")


@pytest.mark.root
def test_umoci_unpacks_our_directory(store: EmbeddedStore, busybox: Image, tmp_path: Path) -> None:
    layout = export(store, amd64(store, busybox), tmp_path / "layout", tar=False)
    run("umoci", "unpack", "--image", f"{layout}:test", tmp_path / "bundle")
    assert (tmp_path / "bundle/rootfs/bin/busybox").is_file()


def test_umoci_lists_the_tags_of_our_directory(store: EmbeddedStore, busybox: Image, tmp_path: Path) -> None:
    layout = export(store, busybox.target, tmp_path / "layout", tar=False)
    assert run("umoci", "ls", "--layout", layout).split() == ["test"]


@pytest.mark.root
def test_what_umoci_changes_is_imported(store: EmbeddedStore, busybox: Image, tmp_path: Path) -> None:
    layout = export(store, amd64(store, busybox), tmp_path / "layout", tar=False)
    (tmp_path / "file").write_text("added")
    run("umoci", "insert", "--image", f"{layout}:test", tmp_path / "file", "/file")
    with open_layout(layout, scratch=store.root.ingests) as reader:
        (image,) = import_layout(store, reader, ref="test", names=[parse_reference("changed")])
    assert image.target.digest != busybox.target.digest
    assert check(store.root, store.database, verify=True) == []


@pytest.mark.root
@pytest.mark.parametrize("form", ["oci", "oci-archive", "docker-archive"])
def test_what_buildah_commits_is_loaded(store: EmbeddedStore, tmp_path: Path, form: str) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text(ACCEPT_ANYTHING)
    own = ("--storage-driver", "vfs", "--root", tmp_path / "storage", "--runroot", tmp_path / "run")
    buildah = (shutil.which("buildah") or "buildah", *own)
    container = run(*buildah, "from", "scratch").strip()
    run(*buildah, "copy", container, policy, "/policy.json")
    run(*buildah, "commit", "--signature-policy", policy, container, f"{form}:{tmp_path / 'theirs'}:made:1")
    (image,) = load(store, tmp_path / "theirs")
    assert image.name == "docker.io/library/made:1"
    assert len(resolve_platform(store.content, image.target, AMD64).manifest.layers) == 1


def test_skopeo_accepts_what_was_loaded_from_skopeo(
    store: EmbeddedStore, busybox_layout: Path, tmp_path: Path
) -> None:
    skopeo("copy", f"oci:{busybox_layout}:latest", f"docker-archive:{tmp_path / 'theirs'}:made:1")
    (image,) = load(store, tmp_path / "theirs")
    archive = export(store, image.target, tmp_path / "ours.tar")
    skopeo("copy", f"oci-archive:{archive}", f"dir:{tmp_path / 'dir'}")
    assert (tmp_path / "dir/manifest.json").is_file()
