"""Open directories are bounded in number, and nobody notices that they were closed."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from builder.snapshot.disk import Directory
from builder.snapshot.errors import ContentChanged
from builder.snapshot.opened import OpenDirectories

if TYPE_CHECKING:
    from pathlib import Path


def folders(parent: Path, number: int) -> list[Path]:
    made = [parent / f"d{each}" for each in range(number)]
    for each in made:
        (each / "below").mkdir(parents=True)
        (each / "below" / "name").write_text(each.name)
    return made


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_two_hundred_directories_are_never_open_at_once(tmp_path: Path) -> None:
    others, before = OpenDirectories(limit=8), open_files()
    opened = [Directory(each, others=others) for each in folders(tmp_path, 200)]
    for _ in range(2):
        for each in opened:
            each.lstat("below/name")
    assert open_files() - before <= 8 * 2 + 2


def test_a_directory_that_was_closed_for_others_answers_as_before(tmp_path: Path) -> None:
    first, *rest = folders(tmp_path, 5)
    others = OpenDirectories(limit=2)
    directory = Directory(first, others=others)
    directory.lstat("below/name")
    kept = [Directory(each, others=others) for each in rest]
    assert (directory.names("below"), len(kept)) == (["name"], 4)
    with directory.open_file("below/name") as file:
        assert file.read() == b"d0"


def test_another_directory_in_its_place_is_noticed(tmp_path: Path) -> None:
    path = folders(tmp_path, 1)[0]
    directory = Directory(path, others=OpenDirectories())
    assert directory.park()
    path.rename(tmp_path / "moved")
    folders(tmp_path, 1)
    with pytest.raises(ContentChanged):
        directory.lstat("below")


def test_a_closed_directory_stays_closed(tmp_path: Path) -> None:
    directory = Directory(folders(tmp_path, 1)[0], others=OpenDirectories())
    directory.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        directory.lstat("below/name")


def test_a_directory_in_use_is_not_closed(tmp_path: Path) -> None:
    directory = Directory(folders(tmp_path, 1)[0], others=OpenDirectories())
    with directory._lock:
        assert not directory.park()


def test_threads_that_share_few_open_directories_do_not_disturb_each_other(tmp_path: Path) -> None:
    others = OpenDirectories(limit=2)
    opened = [Directory(each, others=others) for each in folders(tmp_path, 12)]
    wrong: list[str] = []

    def read() -> None:
        for _ in range(40):
            for each in opened:
                with each.open_file("below/name") as file:
                    if file.read().decode() != each.path.name:
                        wrong.append(each.path.name)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(timeout=60)
    assert not wrong and not any(each.is_alive() for each in threads)
