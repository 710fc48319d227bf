"""An assembled image into a store, and from there into a layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from made import AMD64, ARM64, image, layer

from builder.oci.digest import Digest
from builder.oci.reference import parse_reference
from builder.store.check import check
from builder.store.errors import BlobNotFound, DriverError
from builder.store.gc import NoSnapshots, collect
from builder.store.layout.output import output_file
from builder.store.layout.reader import open_layout
from builder.store.selection import open_store
from exporter.assemble import Assembled, assemble
from exporter.image import image_names, store_image
from exporter.inspect import ImageNode, format_tree, inspect_image
from exporter.oci import layout_entries, write_oci
from exporter.outputs import ImageOutput, OciOutput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from builder.store.embedded import EmbeddedStore

NAMES = [parse_reference(name) for name in ("hello:1", "hello:2", "docker.io/library/hello:1")]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    with open_store(tmp_path / "root") as opened:
        yield opened


@pytest.fixture
def assembled() -> Assembled:
    return assemble([image(AMD64, layer(b"one")), image(ARM64, layer(b"one"), layer(b"two"))])


def export(store: EmbeddedStore, assembled: Assembled) -> list[str]:
    with store.lease() as lease:
        for content in (b"one", b"two"):
            lease.content.put(content)
        return [
            stored.name for stored in store_image(assembled, lease, store.images, names=list(map(str, NAMES)))
        ]


def test_an_exported_image_has_each_of_its_names_once(store: EmbeddedStore, assembled: Assembled) -> None:
    assert export(store, assembled) == ["docker.io/library/hello:1", "docker.io/library/hello:2"]
    assert store.images.get("docker.io/library/hello:2").target == assembled.root


def test_an_exported_image_is_sound_and_survives_a_collection(
    store: EmbeddedStore, assembled: Assembled
) -> None:
    export(store, assembled)
    assert collect(store.root, store.database, snapshots=NoSnapshots()).blobs == 0
    assert check(store.root, store.database, verify=True) == []


def test_layers_are_labelled_with_their_diff_id(store: EmbeddedStore, assembled: Assembled) -> None:
    export(store, assembled)
    blob = store.content.find(Digest.of(b"two"))
    assert blob is not None
    assert blob.labels == {"containerd.io/uncompressed": Digest.of(b"two")}


def test_an_image_without_its_layers_gets_no_name(store: EmbeddedStore, assembled: Assembled) -> None:
    with store.lease() as lease, pytest.raises(BlobNotFound, match="of linux/amd64 is not in the store"):
        store_image(assembled, lease, store.images, names=list(map(str, NAMES)))
    assert store.images.all() == ()


def test_the_classic_store_gets_no_index(tmp_path: Path, assembled: Assembled) -> None:
    with open_store(tmp_path / "root", driver="docker") as classic:
        with pytest.raises(DriverError):
            export(classic, assembled)
        assert classic.images.all() == ()


@pytest.mark.parametrize("tar", [True, False], ids=["archive", "directory"])
def test_a_layout_holds_the_image_under_all_its_names(
    store: EmbeddedStore, assembled: Assembled, tmp_path: Path, tar: bool
) -> None:
    export(store, assembled)
    output = OciOutput(dest=tmp_path / "out", tar=tar)
    write_oci(store.content, layout_entries(assembled.root, NAMES), output, stdout=-1)
    with open_layout(tmp_path / "out", scratch=tmp_path) as reader:
        assert [str(name) for name, _ in reader.names()] == [
            "docker.io/library/hello:1",
            "docker.io/library/hello:2",
        ]


def test_an_archive_without_destination_goes_to_standard_output(
    store: EmbeddedStore, assembled: Assembled, tmp_path: Path
) -> None:
    export(store, assembled)
    with output_file(tmp_path / "stdout") as fd:
        write_oci(store.content, layout_entries(assembled.root, []), OciOutput(), stdout=fd)
    with open_layout(tmp_path / "stdout", scratch=tmp_path) as reader:
        assert reader.find().digest == assembled.root.digest


def test_an_image_without_name_is_called_latest_in_a_directory(
    store: EmbeddedStore, assembled: Assembled, tmp_path: Path
) -> None:
    export(store, assembled)
    output = OciOutput(dest=tmp_path / "out", tar=False)
    write_oci(store.content, layout_entries(assembled.root, []), output, stdout=-1)
    with open_layout(tmp_path / "out", scratch=tmp_path) as reader:
        assert reader.find("latest").digest == assembled.root.digest


def test_the_tree_shows_index_platforms_configs_and_layers(
    store: EmbeddedStore, assembled: Assembled
) -> None:
    export(store, assembled)
    amd64, arm64 = assembled.platforms
    one, two = Digest.of(b"one"), Digest.of(b"two")
    assert format_tree("hello:1", inspect_image(store.content, assembled.root)) == (
        "hello:1\n"
        f"index  {assembled.root.digest}  {assembled.root.size}B\n"
        f"├── manifest linux/amd64  {amd64.manifest.digest}  {amd64.manifest.size}B\n"
        f"│   ├── config  {amd64.config.digest}  {amd64.config.size}B\n"
        f"│   └── layer uncompressed  {one}  3B\n"
        f"└── manifest linux/arm64  {arm64.manifest.digest}  {arm64.manifest.size}B\n"
        f"    ├── config  {arm64.config.digest}  {arm64.config.size}B\n"
        f"    ├── layer uncompressed  {one}  3B\n"
        f"    └── layer uncompressed  {two}  3B\n"
    )


def test_the_tree_marks_documents_that_the_store_lacks(store: EmbeddedStore, assembled: Assembled) -> None:
    export(store, assembled)
    store.content.delete(assembled.platforms[1].manifest.digest)
    tree = inspect_image(store.content, assembled.root)
    assert "manifest linux/arm64" in format_tree("x", tree)
    assert format_tree("x", tree).endswith("(not in the store)\n")


def test_text_of_hostile_documents_cannot_drive_a_terminal(assembled: Assembled) -> None:
    from msgspec.structs import replace

    hostile = replace(assembled.root, media_type="a\x1b[2Jb")
    assert "\x1b" not in format_tree("x", ImageNode(kind="blob", descriptor=hostile))


@pytest.mark.parametrize(
    ("output", "names"),
    [
        (ImageOutput(names=("a:1",)), ["docker.io/library/a:1"]),
        (
            ImageOutput(names=("a:1",), name_canonical=True),
            ["docker.io/library/a:1", "docker.io/library/a@DIGEST"],
        ),
        (ImageOutput(dangling_prefix="old"), ["old@DIGEST"]),
        (
            ImageOutput(names=("a:1",), dangling_prefix="old", dangling_only_unnamed=True),
            ["docker.io/library/a:1"],
        ),
    ],
)
def test_names_with_digests_are_added_as_they_are_asked_for(
    assembled: Assembled, output: ImageOutput, names: list[str]
) -> None:
    digest = assembled.root.digest
    assert list(image_names(output, assembled.root)) == [name.replace("DIGEST", digest) for name in names]
