"""The files of a result in somebody's directory: what stays, what goes, and that nothing is written elsewhere."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
from trees import SECOND, file, found, node, result

from exporter.errors import ExportError
from exporter.local import write_files
from exporter.rootfs import result_nodes

if TYPE_CHECKING:
    from pathlib import Path

    from builder.snapshot.entry import Node
    from exporter.outputs import LocalMode


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "dest"


def write(dest: Path, *nodes: Node, mode: LocalMode = "copy") -> dict[str, str]:
    write_files(result_nodes([result(*nodes)], split=False, epoch=None), dest, mode=mode)
    return found(dest)


def test_files_directories_and_links_are_written(dest: Path) -> None:
    nodes = (node("d", "dir"), file("d/f", b"content"), node("l", "symlink", link="/etc/passwd"))
    assert write(dest, *nodes) == {"d": "dir", "d/f": "content", "l": "-> /etc/passwd"}


def test_modes_and_times_are_those_of_the_result(dest: Path) -> None:
    write(dest, node("d", "dir", mode=0o500), file("d/f", mode=0o4711))
    modes = [stat.S_IMODE((dest / path).stat().st_mode) for path in ("d", "d/f")]
    times = [(dest / path).stat().st_mtime_ns for path in ("d", "d/f")]
    assert (modes, times) == ([0o500, 0o4711], [7 * SECOND] * 2)


def test_files_belong_to_the_caller(dest: Path) -> None:
    write(dest, file("f", uid=12345, gid=12345))
    assert (dest / "f").stat().st_uid == os.geteuid()


def test_what_else_is_in_the_directory_stays(dest: Path) -> None:
    (dest / "d").mkdir(parents=True)
    (dest / "d" / "mine").write_text("kept")
    assert write(dest, node("d", "dir"), file("d/f", b"new")) == {"d": "dir", "d/f": "new", "d/mine": "kept"}


def test_mode_delete_removes_what_the_result_lacks(dest: Path) -> None:
    (dest / "d" / "deep").mkdir(parents=True)
    (dest / "d" / "deep" / "mine").write_text("gone")
    (dest / "other").symlink_to("/")
    assert write(dest, node("d", "dir"), file("d/f"), mode="delete") == {"d": "dir", "d/f": ""}


def test_mode_delete_does_not_follow_links(dest: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    dest.mkdir()
    (dest / "link").symlink_to(tmp_path / "precious")
    write(dest, file("f"), mode="delete")
    assert (tmp_path / "precious" / "file").exists()


@pytest.mark.parametrize("path", ["link", "link/f"])
def test_nothing_is_written_through_a_link_that_stands_there(dest: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / "outside").mkdir()
    dest.mkdir()
    (dest / "link").symlink_to(tmp_path / "outside")
    nodes = (file("link", b"new"),) if path == "link" else (node("link", "dir"), file("link/f", b"new"))
    assert write(dest, *nodes)[path] == "new"
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_link_of_the_result_leads_nobody_out(dest: Path, tmp_path: Path) -> None:
    hostile = [node("l", "symlink", link=str(tmp_path)), file("l/escaped", b"x")]
    with pytest.raises(ExportError, match="cannot write"):
        write_files(hostile, dest, mode="copy")
    assert not (tmp_path / "escaped").exists()


def test_a_path_that_leaves_the_directory_is_refused(dest: Path) -> None:
    with pytest.raises(ExportError, match="cannot write"):
        write_files([file("../escaped", b"x")], dest, mode="copy")
    assert not (dest.parent / "escaped").exists()


def test_an_old_file_is_replaced_and_its_other_names_keep_their_content(dest: Path, tmp_path: Path) -> None:
    dest.mkdir()
    (dest / "f").write_text("old")
    (tmp_path / "name").hardlink_to(dest / "f")
    write(dest, file("f", b"new"))
    assert ((dest / "f").read_text(), (tmp_path / "name").read_text()) == ("new", "old")


def test_a_directory_in_the_way_of_a_file_is_an_error(dest: Path) -> None:
    (dest / "f").mkdir(parents=True)
    with pytest.raises(ExportError, match="f: a directory is in the way"):
        write(dest, file("f"))
    assert found(dest) == {"f": "dir"}


def test_mode_delete_removes_a_directory_in_the_way(dest: Path) -> None:
    (dest / "f" / "deep").mkdir(parents=True)
    assert write(dest, file("f", b"new"), mode="delete") == {"f": "new"}


def test_hard_links_are_made_again(dest: Path) -> None:
    write_files([file("a", b"x"), node("b", "hardlink", link="a")], dest, mode="copy")
    assert os.path.samefile(dest / "a", dest / "b")


def test_writing_the_same_result_again_changes_nothing(dest: Path) -> None:
    nodes = (file("a", b"x"), node("b", "hardlink", link="a"), node("c", "fifo"))
    write_files(nodes, dest, mode="copy")
    before = found(dest)
    write_files(nodes, dest, mode="copy")
    assert found(dest) == before


def test_no_temporary_name_is_left_when_content_fails(dest: Path) -> None:
    broken = file("f", b"x")
    longer = type(broken)(type(broken.entry)("f", "file", size=9), broken.content)
    with pytest.raises(ExportError, match="cannot write"):
        write_files([longer], dest, mode="copy")
    assert found(dest) == {}
