"""Archives of `docker save`: both forms that Docker has written, and what is wrong with hostile ones."""

from __future__ import annotations

import gzip
import tarfile
from typing import TYPE_CHECKING

import msgspec
import pytest
from samples import AMD64

from builder.oci.config import RootFS, encode_config, scratch_config
from builder.oci.digest import Digest
from builder.store.check import check
from builder.store.errors import DigestMismatch, InvalidLayout
from builder.store.imagegraph import resolve_platform
from builder.store.layout.importer import load_layout
from builder.store.layout.reader import open_layout

if TYPE_CHECKING:
    from pathlib import Path

    from builder.store.embedded import EmbeddedStore

LAYER = b"an uncompressed layer"


def write_archive(folder: Path, layer: bytes, *, path: str = "abc/layer.tar", **changes: object) -> Path:
    config = encode_config(
        msgspec.structs.replace(scratch_config(AMD64), rootfs=RootFS(diff_ids=(Digest.of(LAYER),)))
    )
    target = folder / path
    target.parent.mkdir(parents=True)
    target.write_bytes(layer)
    (folder / "config.json").write_bytes(config)
    entry = {"Config": "config.json", "RepoTags": ["hello:1"], "Layers": [path], **changes}
    (folder / "manifest.json").write_bytes(msgspec.json.encode([entry]))
    return folder


def load(store: EmbeddedStore, folder: Path) -> list[str]:
    with open_layout(folder, scratch=store.root.ingests) as reader:
        return [image.name for image in load_layout(store, reader)]


def test_a_real_archive_is_loaded_like_its_directory(store: EmbeddedStore, tmp_path: Path) -> None:
    write_archive(tmp_path / "a", LAYER)
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "a", arcname="")
    assert load(store, tmp_path / "a.tar") == ["docker.io/library/hello:1"]


@pytest.mark.parametrize("layer", [LAYER, gzip.compress(LAYER)], ids=["plain", "gzip"])
def test_an_archive_is_loaded_under_its_tags(store: EmbeddedStore, tmp_path: Path, layer: bytes) -> None:
    assert load(store, write_archive(tmp_path / "a", layer)) == ["docker.io/library/hello:1"]
    image = store.images.get("docker.io/library/hello:1")
    found = resolve_platform(store.content, image.target, AMD64)
    assert found.manifest.layers[0].digest == Digest.of(layer)
    assert check(store.root, store.database, verify=True) == []


def test_a_layer_named_by_its_digest_is_verified_while_it_is_copied(
    store: EmbeddedStore, tmp_path: Path
) -> None:
    path = f"blobs/sha256/{Digest.of(LAYER).hex}"
    with pytest.raises(DigestMismatch, match=Digest.of(LAYER)):
        load(store, write_archive(tmp_path / "a", LAYER.upper(), path=path))
    assert store.images.all() == ()


def test_a_plain_layer_that_is_not_its_diff_id_is_refused(store: EmbeddedStore, tmp_path: Path) -> None:
    with pytest.raises(InvalidLayout, match=r"layer abc/layer\.tar has diff id"):
        load(store, write_archive(tmp_path / "a", b"another layer"))


def test_another_number_of_layers_than_the_config_has_is_refused(
    store: EmbeddedStore, tmp_path: Path
) -> None:
    with pytest.raises(InvalidLayout, match="layers length mismatch: expected 1, got 0"):
        load(store, write_archive(tmp_path / "a", LAYER, Layers=[]))


def test_an_untagged_image_has_no_name_to_load(store: EmbeddedStore, tmp_path: Path) -> None:
    with pytest.raises(InvalidLayout, match="does not say what its images are called"):
        load(store, write_archive(tmp_path / "a", LAYER, RepoTags=None))


def test_a_tag_that_is_none_is_refused(store: EmbeddedStore, tmp_path: Path) -> None:
    with pytest.raises(InvalidLayout, match="has an invalid tag"):
        load(store, write_archive(tmp_path / "a", LAYER, RepoTags=["../x"]))


def test_an_archive_of_too_many_images_is_refused(store: EmbeddedStore, tmp_path: Path) -> None:
    folder = write_archive(tmp_path / "a", LAYER)
    (entry,) = msgspec.json.decode((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_bytes(msgspec.json.encode([entry] * 1001))
    with pytest.raises(InvalidLayout, match="lists more than 1000 images"):
        load(store, folder)


@pytest.mark.parametrize("path", ["/etc/passwd", "../../etc/passwd", "missing"])
def test_a_config_outside_the_archive_is_not_read(store: EmbeddedStore, tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidLayout, match="No such file or directory"):
        load(store, write_archive(tmp_path / "a", LAYER, Config=path))


@pytest.mark.parametrize("content", [b"{", b"{}", b'[{"Config": 1}]', b"[" * 100_000])
def test_a_malformed_manifest_is_refused(store: EmbeddedStore, tmp_path: Path, content: bytes) -> None:
    write_archive(tmp_path / "a", LAYER)
    (tmp_path / "a" / "manifest.json").write_bytes(content)
    with pytest.raises(InvalidLayout, match=r"malformed manifest\.json"):
        load(store, tmp_path / "a")
