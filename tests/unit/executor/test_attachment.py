"""Standing in for the caller's streams without giving the caller's files away."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from builder.executor.attachment import Attachment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def null() -> Iterator[int]:
    descriptor = os.open(os.devnull, os.O_RDWR)
    yield descriptor
    os.close(descriptor)


def test_a_terminal_is_handed_over_as_it_is() -> None:
    ours, terminal = os.openpty()
    with Attachment((terminal, terminal, terminal)) as attachment:
        assert attachment.streams == (terminal, terminal, terminal) and not attachment.readers
    os.close(ours)
    os.close(terminal)


def test_a_file_is_never_handed_over(tmp_path: Path, null: int) -> None:
    with (tmp_path / "out").open("wb") as out, Attachment((null, out.fileno(), null)) as attachment:
        _, stream, _ = attachment.streams
        assert os.fstat(stream).st_ino != os.fstat(out.fileno()).st_ino
        attachment.write(1, b"through the pipe")
    assert (tmp_path / "out").read_bytes() == b"through the pipe"


def test_input_from_a_file_arrives_whole_and_ends(tmp_path: Path, null: int) -> None:
    (tmp_path / "in").write_bytes(b"x" * 300_000)
    with (tmp_path / "in").open("rb") as source, Attachment((source.fileno(), null, null)) as attachment:
        received = b""
        while chunk := os.read(attachment.streams[0], 65536):
            received += chunk
    assert received == b"x" * 300_000


def test_leaving_does_not_wait_for_input_that_never_comes(null: int) -> None:
    source, silent = os.pipe()
    with Attachment((source, null, null)):
        pass
    os.close(source)
    os.close(silent)


def test_input_that_nobody_reads_is_no_error(tmp_path: Path, null: int) -> None:
    (tmp_path / "in").write_bytes(b"x" * 300_000)
    with (tmp_path / "in").open("rb") as source, Attachment((source.fileno(), null, null)) as attachment:
        attachment.give_away()
