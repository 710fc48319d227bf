"""Streams of chunks read like any other file."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from builder.system.rawstreams import ChunkStream


@given(st.lists(st.binary(max_size=20)), st.integers(1, 30))
def test_chunks_of_any_size_read_in_pieces_of_any_size_are_the_same_bytes(
    chunks: list[bytes], size: int
) -> None:
    stream = ChunkStream(chunks)
    pieces = list(iter(lambda: stream.read(size), b""))
    assert b"".join(pieces) == b"".join(chunks)
    assert all(len(piece) <= size for piece in pieces)


@given(st.lists(st.binary(max_size=20)))
def test_a_buffer_over_a_stream_finds_all_of_it(chunks: list[bytes]) -> None:
    assert io.BufferedReader(ChunkStream(chunks)).read() == b"".join(chunks)


def test_closing_ends_what_makes_the_chunks_once() -> None:
    ended: list[str] = []
    stream = ChunkStream([b"x"], on_close=lambda: ended.append("now"))
    stream.close()
    stream.close()
    assert ended == ["now"]
