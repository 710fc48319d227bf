"""Archives for `docker load`: what is in them, and what is refused."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING

import pytest
from made import AMD64, ARM64, image, layer

from builder.oci.reference import parse_reference
from builder.store.layout.archive import write_archive
from builder.store.layout.reader import open_layout
from builder.store.selection import open_store
from exporter.assemble import assemble
from exporter.docker import write_docker
from exporter.errors import ExportError
from exporter.image import write_image
from exporter.oci import layout_entries
from exporter.outputs import DockerOutput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from builder.store.embedded import EmbeddedStore

NAMES = [parse_reference(name) for name in ("hello:1", "r.example/hello:2")]
ONE = assemble([image(AMD64, layer(b"one"), layer(b"two"))])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    with open_store(tmp_path / "root") as opened, opened.lease() as lease:
        lease.content.put(b"one")
        lease.content.put(b"two")
        write_image(ONE, lease.content)
        yield opened


def archive(store: EmbeddedStore, dest: Path, *, named: bool = True) -> Path:
    entries = layout_entries(ONE.root, NAMES if named else [], created="1970-01-01T00:00:00Z")
    write_docker(store.content, entries, DockerOutput(dest=dest), stdout=-1)
    return dest


def listing(path: Path) -> dict[str, object]:
    with tarfile.open(path) as opened:
        source = opened.extractfile("manifest.json")
        assert source is not None
        (entry,) = json.load(source)
    return dict(entry)


def test_the_listing_names_config_layers_and_short_tags(store: EmbeddedStore, tmp_path: Path) -> None:
    (platform,) = ONE.platforms
    assert listing(archive(store, tmp_path / "x.tar")) == {
        "Config": f"blobs/sha256/{platform.config.digest.hex}",
        "RepoTags": ["hello:1", "r.example/hello:2"],
        "Layers": [f"blobs/sha256/{each.descriptor.digest.hex}" for each in platform.layers],
    }


def test_an_image_without_name_has_no_tags(store: EmbeddedStore, tmp_path: Path) -> None:
    assert listing(archive(store, tmp_path / "x.tar", named=False))["RepoTags"] is None


def test_all_else_is_the_oci_archive_byte_for_byte(store: EmbeddedStore, tmp_path: Path) -> None:
    path = archive(store, tmp_path / "x.tar")
    with (tmp_path / "oci.tar").open("wb") as plain:
        entries = layout_entries(ONE.root, NAMES, created="1970-01-01T00:00:00Z")
        write_archive(store.content, entries, plain.fileno())
    ours = path.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(ours)) as opened:
        names = opened.getnames()
        start = opened.getmember("manifest.json").offset
        end = opened.getmember("oci-layout").offset
    assert names[-3:] == ["index.json", "manifest.json", "oci-layout"]
    assert ours[:start] + ours[end:] == (tmp_path / "oci.tar").read_bytes()


def test_the_archive_is_also_a_layout_with_both_names(store: EmbeddedStore, tmp_path: Path) -> None:
    with open_layout(archive(store, tmp_path / "x.tar"), scratch=tmp_path) as reader:
        assert [(str(name), root.digest) for name, root in reader.names()] == [
            (str(name), ONE.root.digest) for name in NAMES
        ]


def test_an_index_is_refused_and_leaves_no_file(store: EmbeddedStore, tmp_path: Path) -> None:
    index = assemble([image(AMD64), image(ARM64)])
    with pytest.raises(ExportError, match="docker exporter does not currently support exporting manifest"):
        write_docker(
            store.content, layout_entries(index.root, []), DockerOutput(dest=tmp_path / "x.tar"), stdout=-1
        )
    assert not (tmp_path / "x.tar").exists()
