from __future__ import annotations

import io
import tarfile

import pytest
from archives import file_node, layers, tar_of
from hypothesis import given

from builder.oci.digest import CHUNK
from builder.snapshot.disk import InlineContent
from builder.snapshot.entry import Entry, Node
from builder.snapshot.errors import ContentChanged


def test_the_archive_ends_with_two_zero_blocks_and_no_padding() -> None:
    assert tar_of([]) == bytes(1024)


def test_the_root_itself_is_not_written() -> None:
    assert tar_of([Node(Entry("", "dir", 0o755))]) == bytes(1024)


def test_content_is_padded_to_whole_blocks() -> None:
    written = tar_of([file_node("f", b"x" * 513)])

    assert len(written) == 512 + 1024 + 1024


def test_content_larger_than_a_chunk_is_written_whole() -> None:
    content = b"0123456789abcdef" * (CHUNK // 8)

    written = tar_of([file_node("big", content + b"tail"), file_node("next", b"n")])

    with tarfile.open(fileobj=io.BytesIO(written)) as tar:
        big = tar.extractfile("big")
        assert big is not None
        assert big.read() == content + b"tail"
        assert tar.getnames() == ["big", "next"]


@pytest.mark.parametrize("size", [0, 10, CHUNK, 3 * CHUNK])
@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_of_another_size_than_listed_is_never_written(size: int, change: int) -> None:
    if size + change < 0:
        return
    node = Node(Entry("f", "file", size=size), InlineContent(b"x" * (size + change)))

    with pytest.raises(ContentChanged, match="that were listed"):
        tar_of([node])


def test_a_file_without_content_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="no content"):
        tar_of([Node(Entry("f", "file"))])


@given(layers())
def test_tarfile_reads_the_same_entries_from_what_we_write(nodes: list[Node]) -> None:
    with tarfile.open(fileobj=io.BytesIO(tar_of(nodes)), errors="surrogateescape") as tar:
        members = [member for member in tar if not member.name.endswith(".wh..wh..opq")]

    assert len(members) == len(nodes)
    for member, node in zip(members, nodes, strict=True):
        entry = node.entry
        if entry.kind != "whiteout":
            assert (member.name, member.mode, member.uid, member.gid) == (
                entry.path,
                entry.mode,
                entry.uid,
                entry.gid,
            )
            assert (member.size, member.mtime) == (entry.size, entry.mtime_ns // 10**9)
            assert member.linkname == entry.link
