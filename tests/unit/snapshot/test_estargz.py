"""eStargz layers, read back by the rules of the format: footer, table of contents, pieces."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from archives import SECOND, archive, file_node, layers, member, plain_layer, tar_of
from hypothesis import given, settings

from builder.oci.digest import Digest
from builder.snapshot.entry import Entry, Node
from builder.snapshot.errors import InvalidLayer, SnapshotError
from builder.snapshot.estargz import TOC_DIGEST, TOC_NAME, UNCOMPRESSED_SIZE, WrittenEstargz, write_estargz

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20
FOOTER = 51


class Made(NamedTuple):
    """A blob, and what its footer and TOC say."""

    blob: bytes
    written: WrittenEstargz
    toc_offset: int
    toc: bytes

    @property
    def entries(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.toc)["entries"]
        return found


def made(plain: bytes, level: int | None = None) -> Made:
    sink = io.BytesIO()
    written = write_estargz(plain_layer(plain), sink, level=level)
    blob = sink.getvalue()
    footer = blob[-FOOTER:]
    assert footer[:16] == bytes.fromhex("1f8b08040000000000ff1a0053471600") and footer[32:38] == b"STARGZ"
    assert footer[38:] == bytes.fromhex("010000ffff") + bytes(8)
    toc_offset = int(footer[16:32], 16)
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob[toc_offset:]))) as opened:
        source = opened.extractfile(TOC_NAME)
        assert source is not None
        return Made(blob, written, toc_offset, source.read())


def pieces(blob: Made) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Each piece of each file, fetched as a lazy reader does: from its offset, nothing before it."""
    size = 0
    for each in blob.entries:
        size = each.get("size", size)
        if "chunkDigest" in each:
            wanted = each.get("chunkSize") or size - each.get("chunkOffset", 0)
            yield each, zlib.decompressobj(31).decompress(blob.blob[each["offset"] :], wanted)


@given(layers())
@settings(max_examples=40, deadline=None)
def test_any_layer_is_whole_before_the_table_of_contents(nodes: list[Node]) -> None:
    plain = tar_of(nodes)
    blob = made(plain)
    assert gzip.decompress(blob.blob[: blob.toc_offset]) == plain


@given(layers())
@settings(max_examples=40, deadline=None)
def test_any_entry_is_in_the_table_of_contents_with_its_content(nodes: list[Node]) -> None:
    blob = made(tar_of(nodes))
    contents = dict[str, bytes]()
    for each, piece in pieces(blob):
        assert Digest.of(piece) == each["chunkDigest"]
        contents[each["digest"]] = piece
    files = [each for each in nodes if each.entry.kind == "file" and each.content is not None]
    for each in files:
        assert each.content is not None
        expected = each.content.open().read()
        assert not expected or contents[Digest.of(expected)] == expected


def test_the_diff_id_covers_the_whole_decompressed_stream() -> None:
    blob = made(tar_of([file_node("a", b"x")]))
    stream = gzip.decompress(blob.blob)
    assert blob.written.layer.diff_id == Digest.of(stream)
    assert blob.written.annotations[UNCOMPRESSED_SIZE] == str(len(stream))


def test_the_size_is_that_of_the_blob() -> None:
    blob = made(tar_of([file_node("a", b"x")]))
    assert blob.written.layer.size == len(blob.blob)


def test_the_annotation_names_the_table_of_contents() -> None:
    blob = made(tar_of([file_node("a", b"x")]))
    assert blob.written.annotations[TOC_DIGEST] == Digest.of(blob.toc)


def test_a_large_file_has_pieces_of_four_mebibytes() -> None:
    content = bytes(range(256)) * (9 * MIB // 256)
    blob = made(tar_of([file_node("big", content), file_node("small", b"s")]))
    found = list(pieces(blob))
    assert [(each["type"], each.get("chunkOffset", 0), each.get("chunkSize", 0)) for each, _ in found] == [
        ("reg", 0, 4 * MIB),
        ("chunk", 4 * MIB, 4 * MIB),
        ("chunk", 8 * MIB, 0),
        ("reg", 0, 0),
    ]
    assert b"".join(piece for _, piece in found[:3]) == content
    assert blob.entries[0]["digest"] == Digest.of(content)


def test_attributes_are_those_of_the_archive() -> None:
    entry = Entry("d", "dir", mode=0o1777, uid=3, gid=4, mtime_ns=5 * SECOND)
    link = Entry("l", "symlink", mode=0o777, link="d", mtime_ns=0)
    assert made(tar_of([Node(entry), Node(link)])).entries == [
        {"name": "d/", "type": "dir", "modtime": "1970-01-01T00:00:05Z", "mode": 0o1777, "uid": 3, "gid": 4},
        {"name": "l", "type": "symlink", "linkName": "d", "mode": 0o777},
    ]


def test_an_extended_attribute_is_written_in_base64() -> None:
    entry = Entry("f", "file", mode=0o644, xattrs=(("security.capability", b"\1\0"),))
    assert made(tar_of([file_node("f", xattrs=entry.xattrs)])).entries[0]["xattrs"] == {
        "security.capability": "AQA="
    }


def test_the_same_archive_makes_the_same_bytes() -> None:
    plain = tar_of([file_node(f"f{n}", bytes([n]) * 9000) for n in range(40)])
    assert made(plain).blob == made(plain).blob


def test_levels_change_the_size_and_not_the_content() -> None:
    plain = tar_of([file_node("a", b"abc" * 9000)])
    stored, small = made(plain, 0), made(plain, 9)
    assert len(stored.blob) > len(small.blob)
    assert stored.written.layer.uncompressed_size >= len(plain)


def test_an_empty_layer_has_an_empty_table_of_contents() -> None:
    assert made(tar_of([])).entries == []


def test_a_layer_with_a_file_of_that_name_is_refused() -> None:
    with pytest.raises(SnapshotError, match=r"stargz\.index\.json cannot become eStargz"):
        made(tar_of([file_node(TOC_NAME, b"{}")]))


def test_a_damaged_archive_is_refused() -> None:
    with pytest.raises(InvalidLayer, match="cut off"):
        made(tar_of([file_node("a", b"x" * 2000)])[:1500])


def test_what_stands_behind_the_archive_is_kept() -> None:
    plain = archive(member("a", content=b"x")) + b"behind"
    blob = made(plain)
    assert gzip.decompress(blob.blob[: blob.toc_offset]) == plain
