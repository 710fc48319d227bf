"""Directories that go: empty or full, there or not."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from builder.system.removal import clear_away, remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("remove", [remove_tree, clear_away])
def test_a_directory_goes_with_all_that_is_in_it(remove: Callable[[Path], None], tmp_path: Path) -> None:
    (tmp_path / "gone" / "below").mkdir(parents=True)
    (tmp_path / "gone" / "below" / "file").touch()

    remove(tmp_path / "gone")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("remove", [remove_tree, clear_away])
def test_what_is_not_there_is_no_error(remove: Callable[[Path], None], tmp_path: Path) -> None:
    remove(tmp_path / "missing")


def test_a_file_is_no_directory_to_remove(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(NotADirectoryError):
        remove_tree(tmp_path / "file")


def test_clearing_away_says_nothing_of_what_stays(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    clear_away(tmp_path / "file")
    assert (tmp_path / "file").exists()


def test_an_empty_directory_goes_without_the_libraries_of_archives(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    program = (
        "import sys; from builder.system.removal import clear_away; clear_away(sys.argv[1]);"
        "sys.exit('shutil' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program, tmp_path / "empty"], check=False).returncode == 0
    assert list(tmp_path.iterdir()) == []
