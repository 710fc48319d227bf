"""Layouts of other people: what is imported, what is refused, and that a refusal keeps nothing."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from typing import TYPE_CHECKING

import msgspec
import pytest
import zstandard
from samples import AMD64, Sample, index_of, named, several, single, write_layout

from builder.oci.digest import Digest
from builder.oci.manifest import InvalidDocument
from builder.oci.reference import parse_reference
from builder.store.check import check
from builder.store.errors import BlobNotFound, DigestMismatch, DriverError, InvalidLayout
from builder.store.layout.files import open_archive
from builder.store.layout.importer import copy_blob, import_layout, load_layout
from builder.store.layout.reader import open_layout, read_layout
from builder.store.selection import open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from builder.oci.descriptor import Descriptor
    from builder.store.embedded import EmbeddedStore

NAME = parse_reference("hello:1")
LAYER = Digest.of(b"a layer")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "layout"


def layout(folder: Path, sample: Sample, *entries: Descriptor) -> Path:
    return write_layout(folder, *(entries or (sample.root,)), blobs=sample.blobs)


def tar_of(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(folder, arcname=".")
    return buffer.getvalue()


def import_it(store: EmbeddedStore, path: Path) -> None:
    with open_layout(path, scratch=store.root.ingests) as reader:
        import_layout(store, reader, names=[NAME])


def is_empty(store: EmbeddedStore) -> bool:
    rows = [*store.content.walk(), *store.images.all()]
    return not rows and not os.listdir(store.root.blobs) and not os.listdir(store.root.ingests)


def test_an_imported_image_is_whole_under_the_given_name(store: EmbeddedStore, folder: Path) -> None:
    sample = several()
    import_it(store, layout(folder, sample))
    assert store.images.get("docker.io/library/hello:1").target == sample.root
    assert {blob.digest for blob in store.content.walk()} == sample.blobs.keys()
    assert check(store.root, store.database, verify=True) == []


@pytest.mark.parametrize(
    "pack",
    [lambda plain: plain, gzip.compress, lambda plain: zstandard.ZstdCompressor().compress(plain)],
    ids=["plain", "gzip", "zstd"],
)
def test_an_archive_is_read_like_a_directory(
    store: EmbeddedStore, folder: Path, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    sample = several()
    archive = tmp_path / "image.tar"
    archive.write_bytes(pack(tar_of(layout(folder, sample))))
    import_it(store, archive)
    assert {blob.digest for blob in store.content.walk()} == sample.blobs.keys()


def test_an_archive_is_read_from_a_pipe(store: EmbeddedStore, folder: Path) -> None:
    archive = tar_of(layout(folder, single(), named(single().root, tag="hello:1")))
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "wb") as sink:
        sink.write(archive)
    with os.fdopen(read_end, "rb") as stream:
        files = open_archive(stream, scratch=store.root.ingests)
    with read_layout(files, origin="standard input") as reader:
        assert [image.name for image in load_layout(store, reader)] == [str(NAME)]


def test_loading_takes_names_from_the_top_of_the_archive_only(store: EmbeddedStore, folder: Path) -> None:
    inner = several()
    lying = named(inner.root, full="docker.io/library/nginx:latest", tag="nginx")
    sample = index_of([lying], inner)
    layout(folder, sample, named(sample.root, full=str(NAME), tag="1"))
    with open_layout(folder, scratch=store.root.ingests) as reader:
        load_layout(store, reader)
    assert [image.name for image in store.images.all()] == [str(NAME)]


def test_importing_under_a_name_ignores_the_names_of_the_archive(store: EmbeddedStore, folder: Path) -> None:
    sample = single()
    import_it(store, layout(folder, sample, named(sample.root, full="docker.io/library/nginx:latest")))
    (image,) = store.images.all()
    assert image.name == str(NAME)
    assert image.target == sample.root


def test_a_tag_alone_is_normalised_as_a_name(store: EmbeddedStore, folder: Path) -> None:
    layout(folder, single(), named(single().root, tag="example.org/tool:2"))
    with open_layout(folder, scratch=store.root.ingests) as reader:
        load_layout(store, reader)
    assert [image.name for image in store.images.all()] == ["example.org/tool:2"]


def test_loading_an_archive_without_names_says_so(store: EmbeddedStore, folder: Path) -> None:
    layout(folder, single())
    with (
        open_layout(folder, scratch=store.root.ingests) as reader,
        pytest.raises(InvalidLayout, match="does not say what its images are called"),
    ):
        load_layout(store, reader)


@pytest.mark.parametrize("name", ["../../etc", "UPPER", "a b", "x" * 5000])
def test_a_name_that_is_none_is_refused(store: EmbeddedStore, folder: Path, name: str) -> None:
    layout(folder, single(), named(single().root, full=name))
    with (
        open_layout(folder, scratch=store.root.ingests) as reader,
        pytest.raises(InvalidLayout, match=r"index\.json names"),
    ):
        load_layout(store, reader)
    assert is_empty(store)


def test_a_missing_blob_is_named_and_nothing_is_kept(store: EmbeddedStore, folder: Path) -> None:
    layout(folder, several())
    (folder / "blobs/sha256" / LAYER.hex).unlink()
    with pytest.raises(BlobNotFound, match=f"{folder}: blob {LAYER} is missing"):
        import_it(store, folder)
    assert is_empty(store)


def test_a_wrong_blob_is_named_and_nothing_is_kept(store: EmbeddedStore, folder: Path) -> None:
    layout(folder, several())
    (folder / "blobs/sha256" / LAYER.hex).write_bytes(b"A LAYER")
    with pytest.raises(DigestMismatch, match=f"blob {LAYER}: unexpected commit digest"):
        import_it(store, folder)
    assert is_empty(store)
    assert check(store.root, store.database, verify=True) == []


def test_a_wrong_document_is_named_and_nothing_is_kept(store: EmbeddedStore, folder: Path) -> None:
    sample = layout(folder, several())
    path = sample / "blobs/sha256" / several().root.digest.hex
    path.write_bytes(path.read_bytes().replace(b"2", b"3", 1))
    with pytest.raises(DigestMismatch, match=several().root.digest):
        import_it(store, folder)
    assert is_empty(store)


def test_a_blob_of_another_size_is_refused_before_copying(store: EmbeddedStore, folder: Path) -> None:
    layout(folder, single())
    (folder / "blobs/sha256" / LAYER.hex).write_bytes(b"a layer and more")
    with pytest.raises(DigestMismatch, match="has 16 bytes, its descriptor says 7"):
        import_it(store, folder)


def test_a_link_out_of_the_layout_is_not_followed(store: EmbeddedStore, folder: Path, tmp_path: Path) -> None:
    layout(folder, single())
    secret = tmp_path / "secret"
    secret.write_bytes(b"a layer")
    blob = folder / "blobs/sha256" / LAYER.hex
    blob.unlink()
    blob.symlink_to(secret)
    with pytest.raises(BlobNotFound, match=f"blob {LAYER} is missing"):
        import_it(store, folder)


def test_a_pipe_in_place_of_a_blob_is_never_opened(store: EmbeddedStore, folder: Path) -> None:
    layout(folder, single())
    blob = folder / "blobs/sha256" / LAYER.hex
    blob.unlink()
    os.mkfifo(blob)
    with pytest.raises(BlobNotFound, match=f"blob {LAYER} cannot be read: not a regular file"):
        import_it(store, folder)


def test_one_blob_can_be_copied_without_its_image(store: EmbeddedStore, folder: Path) -> None:
    layout(folder, single())
    layer = msgspec.structs.replace(single().root, digest=LAYER, size=7)
    with open_layout(folder, scratch=store.root.ingests) as reader, store.lease() as lease:
        copy_blob(reader, layer, lease.content)
        assert lease.content.has(LAYER)


def test_a_file_that_grew_is_not_copied_beyond_its_size(store: EmbeddedStore, folder: Path) -> None:
    layout(folder, single())
    layer = msgspec.structs.replace(single().root, digest=LAYER, size=3)
    with (
        open_layout(folder, scratch=store.root.ingests) as reader,
        store.lease() as lease,
        pytest.raises(DigestMismatch, match="4 bytes came where 3 were expected"),
    ):
        copy_blob(reader, layer, lease.content)


def test_the_classic_store_refuses_an_index_before_copying(tmp_path: Path, folder: Path) -> None:
    layout(folder, several())
    with open_store(tmp_path / "root", driver="docker") as classic:
        with pytest.raises(DriverError, match="Multi-platform build is not supported"):
            import_it(classic, folder)
        assert is_empty(classic)


def test_an_image_is_found_by_tag_name_and_digest(folder: Path, tmp_path: Path) -> None:
    one, two = single(), single(layer=b"two")
    entries = [named(one.root, full=str(NAME), tag="1"), named(two.root, tag="2")]
    write_layout(folder, *entries, blobs={})
    with open_layout(folder, scratch=tmp_path) as reader:
        for ref in ("1", "hello:1", "docker.io/library/hello:1", one.root.digest):
            assert reader.find(ref) == one.root
        assert reader.find("2") == two.root
        with pytest.raises(InvalidLayout, match="has no image 'latest'"):
            reader.find()


def test_the_only_image_is_found_without_a_name(folder: Path, tmp_path: Path) -> None:
    layout(folder, single())
    with open_layout(folder, scratch=tmp_path) as reader:
        assert reader.find() == single().root


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("index.json", b"{", "malformed"),
        ("index.json", b"[]", "malformed"),
        ("index.json", b"[" * 100_000, "malformed"),
        ("index.json", b'{"manifests": [{"digest": "sha256:../../etc"}]}', "malformed|not a sha256"),
        ("index.json", b" " * (9 << 20), "larger than"),
        ("oci-layout", b"{}", "malformed oci-layout"),
        ("oci-layout", b'{"imageLayoutVersion":"9.0"}', "version '9.0' is not supported"),
    ],
)
def test_a_broken_file_of_the_layout_is_an_error_with_its_path(
    folder: Path, tmp_path: Path, file: str, content: bytes, message: str
) -> None:
    layout(folder, single())
    (folder / file).write_bytes(content)
    with pytest.raises(InvalidLayout, match=message) as caught:
        open_layout(folder, scratch=tmp_path)
    assert str(folder) in str(caught.value)


def test_an_index_of_too_many_images_is_refused(folder: Path, tmp_path: Path) -> None:
    layout(folder, single(), *[single().root] * 1001)
    with pytest.raises(InvalidLayout, match="lists more than 1000 images"):
        open_layout(folder, scratch=tmp_path)


def test_a_layout_without_index_is_refused_even_with_a_docker_manifest(folder: Path, tmp_path: Path) -> None:
    layout(folder, single())
    (folder / "index.json").rename(folder / "manifest.json")
    with pytest.raises(InvalidLayout, match=r"is no OCI layout: .*index\.json"):
        open_layout(folder, scratch=tmp_path)


def test_an_empty_directory_is_no_layout(tmp_path: Path) -> None:
    with pytest.raises(InvalidLayout, match="is no OCI layout: No such file or directory: oci-layout"):
        open_layout(tmp_path, scratch=tmp_path)


def test_a_missing_path_is_an_error_with_the_path(tmp_path: Path) -> None:
    with pytest.raises(InvalidLayout, match=r"cannot read .*/nowhere: No such file"):
        open_layout(tmp_path / "nowhere", scratch=tmp_path)


@pytest.mark.parametrize("content", [b"", b"text", b"\x1f\x8b damaged", b"\x28\xb5\x2f\xfd damaged"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(InvalidLayout):
        open_layout(path, scratch=tmp_path)


def test_an_image_nested_without_end_is_refused(store: EmbeddedStore, folder: Path) -> None:
    sample = single()
    for _ in range(10):
        sample = index_of([sample.root], sample)
    with pytest.raises(InvalidDocument, match="nested too deeply"):
        import_it(store, layout(folder, sample))
    assert is_empty(store)


def test_an_entry_whose_size_is_a_lie_about_a_document_is_refused(store: EmbeddedStore, folder: Path) -> None:
    sample = single()
    lying = msgspec.structs.replace(sample.root, size=4 << 30).with_platform(AMD64)
    with pytest.raises(InvalidDocument, match="is larger than"):
        import_it(store, layout(folder, sample, lying))
