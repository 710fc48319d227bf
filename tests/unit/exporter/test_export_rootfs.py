"""The files of a result as one list: platforms apart or together, links, times, attributes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from made import AMD64, ARM64
from trees import SECOND, file, node, result, unpacked

from builder.platforms import Platform
from exporter.errors import ExportError
from exporter.rootfs import directory_name, result_nodes

if TYPE_CHECKING:
    from pathlib import Path

    from builder.snapshot.entry import Entry
    from exporter.rootfs import RootFiles


def entries(*results: RootFiles, split: bool = False, epoch: int | None = None) -> list[Entry]:
    return [each.entry for each in result_nodes(results, split=split, epoch=epoch)]


def paths(*results: RootFiles, split: bool = False) -> list[str]:
    return [each.path for each in entries(*results, split=split)]


def test_files_come_sorted_with_parents_first() -> None:
    assert paths(result(node("b", "dir"), file("b/x"), file("a"), file("b.c"))) == ["a", "b", "b/x", "b.c"]


def test_split_platforms_have_a_directory_each() -> None:
    listed = paths(result(file("f"), platform=ARM64), result(file("f")), split=True)
    assert listed == ["linux_amd64", "linux_amd64/f", "linux_arm64", "linux_arm64/f"]


def test_the_directory_of_a_platform_has_no_slashes() -> None:
    assert directory_name(Platform("linux", "arm", "v7")) == "linux_arm_v7"


def test_platforms_without_split_share_their_directories() -> None:
    one = result(node("d", "dir"), file("d/a"))
    other = result(node("d", "dir"), file("d/b"), platform=ARM64)
    assert paths(one, other) == ["d", "d/a", "d/b"]


def test_two_platforms_cannot_have_one_file_without_split() -> None:
    with pytest.raises(ExportError, match="cannot overwrite f from linux/amd64 with linux/arm64 when split"):
        entries(result(file("f")), result(file("f"), platform=ARM64))


def test_an_epoch_is_the_time_of_everything() -> None:
    times = {each.mtime_ns for each in entries(result(node("d", "dir"), file("d/f")), epoch=9)}
    assert times == {9 * SECOND}


def test_names_of_one_file_on_disk_stay_one_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert [(each.kind, each.link) for each in entries(unpacked(tmp_path))] == [
        ("file", ""),
        ("hardlink", "a"),
    ]


def test_a_link_below_a_platform_names_its_target_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert entries(unpacked(tmp_path), split=True)[-1].link == "linux_amd64/a"


def test_a_file_copied_twice_with_other_modes_is_two_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    source = unpacked(tmp_path).view.lstat("a")
    assert source is not None
    copies = [file("x", mode=0o600), file("y", mode=0o644)]
    copied = result(*(type(each)(each.entry, source.content) for each in copies))
    assert [each.kind for each in entries(copied)] == ["file", "file"]


def test_a_hard_link_whose_first_name_was_replaced_is_a_file() -> None:
    first = file("a", b"old")
    link = type(first)(node("b", "hardlink", link="a").entry, None)
    lower, upper = result(first, link), result(file("a", b"new"))
    stacked = type(lower.view)([layer for each in (lower, upper) for layer in each.view._layers])  # type: ignore[attr-defined]
    assert [each.kind for each in entries(lower._replace(view=stacked))] == ["file", "file"]


def test_user_attributes_of_files_come_along(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    try:
        os.setxattr(tmp_path / "a", "user.note", b"kept")
    except OSError:
        pytest.skip("this file system has no user attributes")
    assert entries(unpacked(tmp_path))[0].xattrs == (("user.note", b"kept"),)


def test_platforms_of_a_result_are_listed_by_directory_name() -> None:
    assert paths(result(platform=AMD64), result(platform=Platform("linux", "386")), split=True) == [
        "linux_386",
        "linux_amd64",
    ]
