"""Many files are read by as many threads as are of use, each file once."""

from __future__ import annotations

import itertools
import threading

import pytest

from builder.snapshot.entry import Entry, Node
from builder.snapshot.readers import read_all


def files(count: int, size: int = 100) -> list[Node]:
    return [Node(Entry(f"{number:05}", "file", size=size)) for number in range(count)]


class Reader:
    """Notes who read what."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.threads: set[int] = set()

    def read(self, node: Node) -> None:
        self.paths.append(node.entry.path)
        self.threads.add(threading.get_ident())


@pytest.mark.parametrize("size", [0, 100, 1 << 20, 1 << 30])
@pytest.mark.parametrize("asks_disk", [True, False])
def test_each_file_is_read_once(size: int, asks_disk: bool) -> None:
    reader, blocks = Reader(), itertools.count()
    nodes = files(500, size)

    read_all(nodes, reader.read, blocks_read=lambda: next(blocks) if asks_disk else 0)

    assert sorted(reader.paths) == [node.entry.path for node in nodes]


def test_small_files_in_memory_are_read_by_the_caller_alone() -> None:
    reader = Reader()

    read_all(files(2000), reader.read, blocks_read=lambda: 0)

    assert reader.threads == {threading.get_ident()}


@pytest.mark.parametrize(("size", "asks_disk"), [(100, True), (1 << 20, False)])
def test_a_disk_and_large_files_are_worth_four_threads(size: int, asks_disk: bool) -> None:
    together = threading.Barrier(4)
    reader, blocks = Reader(), itertools.count()

    def read(node: Node) -> None:
        # Four times four files are read side by side, or this ends in a broken barrier.
        if node.entry.path in meeting:
            together.wait(20)
        reader.read(node)

    meeting = {f"{number:05}" for number in range(400, 400 + 4 * 32, 32 if size == 100 else 4)}
    read_all(files(1000, size), read, blocks_read=lambda: next(blocks) if asks_disk else 0)

    assert 2 <= len(reader.threads) <= 4


def test_nothing_to_read_is_nothing_to_do() -> None:
    reader = Reader()

    read_all([], reader.read)

    assert reader.paths == []
