"""Archives and directories that we write: their exact form, and that nothing half-written has its name."""

from __future__ import annotations

import io
import os
import tarfile
from typing import TYPE_CHECKING

import msgspec
import pytest
from samples import Sample, put, several, single

from builder.oci.digest import Digest
from builder.oci.reference import parse_reference
from builder.store.errors import BlobNotFound, InvalidLayout, StoreError
from builder.store.layout import output
from builder.store.layout.archive import write_archive
from builder.store.layout.directory import write_directory
from builder.store.layout.names import named_entry
from builder.store.layout.output import copy_all, output_file
from builder.store.layout.reader import open_layout

if TYPE_CHECKING:
    from pathlib import Path

    from builder.oci.descriptor import Descriptor
    from builder.store.embedded import EmbeddedStore

NAME = parse_reference("hello:1")


def stored(store: EmbeddedStore, sample: Sample) -> Descriptor:
    with store.lease() as lease:
        store.images.set(str(NAME), put(lease.content, sample))
    return named_entry(sample.root, NAME, created="2026-01-02T03:04:05Z")


def archive_of(store: EmbeddedStore, path: Path, *entries: Descriptor) -> bytes:
    with output_file(path) as fd:
        write_archive(store.content, entries, fd)
    return path.read_bytes()


def test_members_stand_sorted_with_fixed_modes_owners_and_times(store: EmbeddedStore, tmp_path: Path) -> None:
    sample = several()
    content = archive_of(store, tmp_path / "x.tar", stored(store, sample))
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = archive.getmembers()
    blobs = [(f"blobs/sha256/{digest.hex}", 0o444) for digest in sorted(sample.blobs)]
    assert [(member.name, member.mode) for member in members] == [
        ("blobs", 0o755),
        ("blobs/sha256", 0o755),
        *blobs,
        ("index.json", 0o644),
        ("oci-layout", 0o444),
    ]
    assert {(member.uid, member.gid, member.mtime, member.uname) for member in members} == {(0, 0, 0, "")}
    assert content.endswith(bytes(1024))
    assert not content.endswith(bytes(2048))


def test_the_index_is_one_line_with_names_and_time(store: EmbeddedStore, tmp_path: Path) -> None:
    root = single().root
    content = archive_of(store, tmp_path / "x.tar", stored(store, single()))
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        index = archive.extractfile("index.json")
        assert index is not None
        assert index.read().decode() == (
            '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":['
            f'{{"mediaType":"{root.media_type}","digest":"{root.digest}","size":{root.size},"annotations":{{'
            '"io.containerd.image.name":"docker.io/library/hello:1",'
            '"org.opencontainers.image.ref.name":"1",'
            '"org.opencontainers.image.created":"2026-01-02T03:04:05Z"}}]}'
        )


def test_the_same_image_makes_the_same_archive(store: EmbeddedStore, tmp_path: Path) -> None:
    entry = stored(store, several())
    assert archive_of(store, tmp_path / "1.tar", entry) == archive_of(store, tmp_path / "2.tar", entry)


def test_an_archive_is_read_back_with_its_name(store: EmbeddedStore, tmp_path: Path) -> None:
    sample = several()
    archive_of(store, tmp_path / "x.tar", stored(store, sample))
    with open_layout(tmp_path / "x.tar", scratch=tmp_path) as reader:
        assert reader.names() == ((NAME, sample.root),)


def test_an_archive_can_be_written_to_a_pipe(store: EmbeddedStore, tmp_path: Path) -> None:
    entry = stored(store, single())
    expected = archive_of(store, tmp_path / "x.tar", entry)
    read_end, write_end = os.pipe()
    write_archive(store.content, [entry], write_end)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as stream:
        assert stream.read() == expected


def test_an_archive_can_be_appended_to_a_file(store: EmbeddedStore, tmp_path: Path) -> None:
    entry = stored(store, single())
    expected = archive_of(store, tmp_path / "x.tar", entry)
    with (tmp_path / "log").open("ab") as stream:
        write_archive(store.content, [entry], stream.fileno())
    assert (tmp_path / "log").read_bytes() == expected


def test_a_missing_blob_leaves_no_file_and_keeps_the_old_one(store: EmbeddedStore, tmp_path: Path) -> None:
    entry = stored(store, single())
    store.content.delete(Digest.of(b"a layer"))
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "x.tar").write_text("old")
    with pytest.raises(BlobNotFound, match="cannot export: blob"):
        archive_of(store, folder / "x.tar", entry)
    assert os.listdir(folder) == ["x.tar"]
    assert (folder / "x.tar").read_text() == "old"


def test_a_file_without_a_final_name_is_invisible(tmp_path: Path) -> None:
    with output_file(tmp_path / "x") as fd:
        os.write(fd, b"half")
        assert os.listdir(tmp_path) == []
    assert (tmp_path / "x").read_bytes() == b"half"


def test_a_file_system_without_unnamed_files_gets_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output.os, "O_TMPFILE", os.O_DIRECTORY)
    with output_file(tmp_path / "x") as fd:
        os.write(fd, b"whole")
        assert not (tmp_path / "x").exists()
    assert os.listdir(tmp_path) == ["x"]


def test_a_destination_in_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(StoreError, match=r"cannot write .*/no/x: No such file"),
        output_file(tmp_path / "no" / "x"),
    ):
        pass


def test_a_device_is_written_to_and_not_replaced() -> None:
    from pathlib import Path

    with output_file(Path("/dev/null")) as fd:
        os.write(fd, b"x")
    assert Path("/dev/null").is_char_device()


def test_a_blob_that_ends_early_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"abc")
    with (
        (tmp_path / "short").open("rb", buffering=0) as source,
        pytest.raises(StoreError, match="a blob ended before its size"),
        output_file(tmp_path / "x") as fd,
    ):
        copy_all(source, fd, 4)


def test_a_directory_holds_the_layout_as_an_archive_does(store: EmbeddedStore, tmp_path: Path) -> None:
    sample = several()
    write_directory(store.content, [stored(store, sample)], tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out/blobs/sha256")) == sorted(digest.hex for digest in sample.blobs)
    with open_layout(tmp_path / "out", scratch=tmp_path) as reader:
        assert reader.names() == ((NAME, sample.root),)


def test_an_image_of_the_same_name_is_replaced_and_others_stay(store: EmbeddedStore, tmp_path: Path) -> None:
    one, two = single(), single(layer=b"two")
    other = parse_reference("other:1")
    entry = stored(store, one)
    write_directory(store.content, [entry, named_entry(one.root, other)], tmp_path)
    write_directory(store.content, [stored(store, two)], tmp_path)
    with open_layout(tmp_path, scratch=tmp_path) as reader:
        assert dict(reader.names()) == {NAME: two.root, other: one.root}


def test_a_damaged_blob_in_the_directory_is_written_again(store: EmbeddedStore, tmp_path: Path) -> None:
    entry = stored(store, single())
    write_directory(store.content, [entry], tmp_path)
    blob = tmp_path / "blobs/sha256" / Digest.of(b"a layer").hex
    blob.chmod(0o644)
    blob.write_bytes(b"A LAYER")
    write_directory(store.content, [entry], tmp_path)
    assert blob.read_bytes() == b"a layer"


def test_a_directory_with_a_broken_index_is_not_overwritten(store: EmbeddedStore, tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(InvalidLayout, match="holds a broken layout"):
        write_directory(store.content, [stored(store, single())], tmp_path)
    assert (tmp_path / "index.json").read_text() == "{"


def test_progress_is_told_of_every_blob(store: EmbeddedStore, tmp_path: Path) -> None:
    sample = single()
    entry = stored(store, sample)
    told: list[tuple[Digest, int]] = []
    write_directory(
        store.content, [entry], tmp_path, progress=lambda blob, done: told.append((blob.digest, done))
    )
    assert dict(told) == {digest: len(content) for digest, content in sample.blobs.items()}


def test_annotations_of_the_image_itself_survive_in_its_entry() -> None:
    root = msgspec.structs.replace(single().root, annotations={"org.example": "kept"})
    assert named_entry(root, None).annotations == {"org.example": "kept"}
