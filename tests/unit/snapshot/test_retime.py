"""Layers without times later than an epoch: everything else stays as it is."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import msgspec
import pytest
from archives import SECOND, archive, file_node, layers, member, plain_layer, tar_of
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.oci.digest import CHUNK
from builder.snapshot.entry import Entry, Node
from builder.snapshot.errors import InvalidLayer
from builder.snapshot.retime import retimed

if TYPE_CHECKING:
    from builder.snapshot.streams import LayerReader


def drained(layer: LayerReader) -> bytes:
    chunks = []
    while chunk := layer.read(CHUNK):
        chunks.append(chunk)
    return b"".join(chunks)


def rewritten(plain: bytes, epoch: int) -> bytes:
    return drained(retimed(plain_layer(plain), epoch=epoch))


def clamped(node: Node, epoch: int) -> Node:
    entry = node.entry
    if entry.kind == "whiteout":
        return node
    time = min(entry.mtime_ns, epoch * SECOND)
    return Node(msgspec.structs.replace(entry, mtime_ns=time), node.content)


@given(layers(), st.integers(0, 1 << 33))
@settings(max_examples=60, deadline=None)
def test_any_layer_is_what_it_would_be_had_it_been_made_then(nodes: list[Node], epoch: int) -> None:
    expected = tar_of([clamped(node, epoch) for node in nodes])
    assert rewritten(tar_of(nodes), epoch) == expected


def test_earlier_times_stay_and_later_ones_become_the_epoch() -> None:
    plain = tar_of([file_node("a", mtime_ns=3 * SECOND), file_node("b", mtime_ns=9 * SECOND)])
    with tarfile.open(fileobj=io.BytesIO(rewritten(plain, 5))) as opened:
        assert [each.mtime for each in opened] == [3, 5]


def test_whiteouts_and_opaque_marks_survive() -> None:
    nodes = [
        Node(Entry("d", "dir", mode=0o755, mtime_ns=9 * SECOND, opaque=True)),
        Node(Entry("gone", "whiteout")),
    ]
    with tarfile.open(fileobj=io.BytesIO(rewritten(tar_of(nodes), 5))) as opened:
        assert [(each.name, each.mtime) for each in opened] == [
            ("d", 5),
            ("d/.wh..wh..opq", 0),
            (".wh.gone", 0),
        ]


def test_rewriting_twice_changes_nothing_more() -> None:
    once = rewritten(tar_of([file_node("a", b"x", mtime_ns=9 * SECOND)]), 5)
    assert rewritten(once, 5) == once


def test_an_archive_of_somebody_else_loses_its_names_of_users_only() -> None:
    info = member("a", content=b"content")
    info.uname, info.mtime, info.uid = "somebody", 9, 7
    with tarfile.open(fileobj=io.BytesIO(rewritten(archive(info), 5))) as opened:
        (only,) = opened.getmembers()
        source = opened.extractfile(only)
        assert source is not None
        assert (source.read(), only.uname, only.uid, only.mtime) == (b"content", "", 7, 5)


def test_a_damaged_layer_is_an_error_and_not_a_shorter_one() -> None:
    with pytest.raises(InvalidLayer, match="cut off"):
        rewritten(tar_of([file_node("a", b"x" * 2000)])[:1500], 5)
