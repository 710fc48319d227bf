"""Chunks made ahead on a thread: the same chunks, the same errors, and no thread is left."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.snapshot.readahead import ReadAhead

if TYPE_CHECKING:
    from collections.abc import Iterator


def threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name == "dockyard-read-ahead"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=4), max_size=20))
def test_all_chunks_come_in_order(chunks: list[bytes]) -> None:
    with ReadAhead(iter(chunks)) as ahead:
        assert list(ahead) == chunks


def test_an_error_comes_in_its_turn_and_stays() -> None:
    def broken() -> Iterator[bytes]:
        yield b"one"
        raise OSError("the disk is gone")

    with ReadAhead(broken()) as ahead:
        assert next(ahead) == b"one"
        for _ in range(2):
            with pytest.raises(OSError, match="the disk is gone"):
                next(ahead)


def test_the_end_stays_the_end() -> None:
    with ReadAhead(iter([b"one"])) as ahead:
        assert list(ahead) == [b"one"]
        assert list(ahead) == []


def test_who_stops_early_leaves_no_thread() -> None:
    with ReadAhead(iter([b"chunk"] * 100)) as ahead:
        next(ahead)

    assert threads() == []


def test_only_a_few_chunks_are_made_ahead() -> None:
    made: list[int] = []

    def counted() -> Iterator[bytes]:
        for number in range(100):
            made.append(number)
            yield b"chunk"

    with ReadAhead(counted()) as ahead:
        for _ in range(10):
            next(ahead)

    assert 10 <= len(made) <= 16


def test_nothing_is_read_before_somebody_asks() -> None:
    made: list[int] = []

    def counted() -> Iterator[bytes]:
        made.append(1)
        yield b"chunk"

    with ReadAhead(counted()):
        pass

    assert made == []
