"""The state root: made private, kept private, and never somebody else's directory."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from builder.store.errors import StoreError
from builder.store.root import open_root

if TYPE_CHECKING:
    from pathlib import Path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_root_is_made_with_its_parents_and_private(tmp_path: Path) -> None:
    root = open_root(tmp_path / "a" / "b")
    assert mode(root.path) == 0o700
    assert root.blobs.is_dir()


def test_an_empty_open_directory_becomes_private(tmp_path: Path) -> None:
    path = tmp_path / "root"
    path.mkdir()
    path.chmod(0o755)
    open_root(path)
    assert mode(path) == 0o700


def test_a_root_that_was_opened_to_others_is_closed_again(tmp_path: Path) -> None:
    path = tmp_path / "root"
    open_root(path)
    (path / "dockyard.db").touch()
    path.chmod(0o777)
    open_root(path)
    assert mode(path) == 0o700


def test_an_open_directory_of_other_things_is_refused_and_not_touched(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "letter.txt").touch()
    with pytest.raises(StoreError, match="it is no state root"):
        open_root(tmp_path)
    assert mode(tmp_path) == 0o755
    assert os.listdir(tmp_path) == ["letter.txt"]


def test_a_file_in_the_way_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "root").touch()
    with pytest.raises(StoreError, match=r"cannot use the state root .*/root: File exists"):
        open_root(tmp_path / "root")


@pytest.mark.root
def test_a_root_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "root"
    path.mkdir(mode=0o700)
    os.chown(path, 12345, 12345)
    with pytest.raises(StoreError, match="belongs to user 12345"):
        open_root(path)
