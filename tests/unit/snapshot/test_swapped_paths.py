"""A context that somebody changes while it is read: what stood outside of it never comes in.

Paths are exchanged for links between the moment when they are listed and the one when they are opened, again and
again (the class of CVE-2025-47290 and CVE-2026-33748).
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from memory import copy

from builder.graph.operations import File
from builder.snapshot.context import ContextView
from builder.snapshot.copy import FilePlan
from builder.snapshot.disk import Directory
from builder.snapshot.errors import SnapshotError
from builder.snapshot.stack import EMPTY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 1.0
SECRET = b"of somebody else"


class Swapper(threading.Thread):
    """Exchanges `path` for `impostor` and back until it is stopped."""

    def __init__(self, path: Path, impostor: Path) -> None:
        super().__init__(name="swapper")
        self._path = path
        self._impostor = impostor
        self.stop = threading.Event()
        self.swaps = 0

    def run(self) -> None:
        aside = self._impostor.with_name("aside")
        while not self.stop.is_set():
            os.rename(self._path, aside)
            os.rename(self._impostor, self._path)
            os.rename(self._path, self._impostor)
            os.rename(aside, self._path)
            self.swaps += 1


@contextmanager
def swapping(path: Path, impostor: Path) -> Iterator[Swapper]:
    thread = Swapper(path, impostor)
    thread.start()
    try:
        yield thread
    finally:
        thread.stop.set()
        thread.join()


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A context, and beside it files of somebody else by the same names."""
    for root, content in (("context", b"of the caller"), ("outside", SECRET)):
        folder = tmp_path / root / "outer" / "inner"
        folder.mkdir(parents=True)
        for name in "abcdefgh":
            (folder / name).write_bytes(content)
    return tmp_path / "context"


def read_all(context: Path) -> set[bytes]:
    """The content of every file that a copy of the context makes."""
    with Directory(context) as opened:
        operation = File(base=None, actions=(copy("/outer", "/x"),))
        nodes = FilePlan(operation, [None, ContextView(opened)]).nodes(EMPTY, now_ns=1, scratch=context)
        contents = [node.content for node in nodes if node.content is not None]
        found = {each.read(100) for each in contents}
        for each in contents:
            with each.open() as stream:
                found.add(stream.read())
        return found


@pytest.mark.parametrize("path", ["outer", "outer/inner", "outer/inner/a", "outer/inner/h"])
def test_a_path_that_becomes_a_link_while_it_is_read_leads_nowhere(context: Path, path: str) -> None:
    outside = context.parent / "outside"
    impostor = context.parent / "impostor"
    impostor.symlink_to(outside / path)
    found: set[bytes] = set()
    complete = 0
    with swapping(context / path, impostor) as swapper:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            try:
                found |= read_all(context)
            except (SnapshotError, OSError):
                continue
            complete += 1
    assert SECRET not in found
    assert swapper.swaps > 10 and complete > 0


def test_a_file_that_becomes_a_fifo_while_it_is_read_holds_nobody_up(context: Path) -> None:
    impostor = context.parent / "impostor"
    os.mkfifo(impostor)
    with swapping(context / "outer/inner/a", impostor) as swapper:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            try:
                assert read_all(context) <= {b"of the caller"}
            except (SnapshotError, OSError):
                continue
    assert swapper.swaps > 10 and time.monotonic() < end + SECONDS
