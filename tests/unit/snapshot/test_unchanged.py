"""What a step's overlay copied up without any change is no part of its layer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from builder.snapshot.marks import OPAQUE_XATTR
from builder.snapshot.tree import tree_nodes
from builder.snapshot.unchanged import set_unchanged_aside

pytestmark = pytest.mark.root

OLD = 1_000_000_000 * 10**9


def tree(path: Path, **files: str) -> Path:
    """A tree at `path` of files, by names in which `__` is a slash; all of them, and directories, are old."""
    for name, text in files.items():
        file = path / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for where, _, names in os.walk(path, topdown=False):
        for name in [*names, "."]:
            os.utime(Path(where, name), ns=(OLD, OLD))
    return path


def left(upper: Path, *lower: Path) -> list[str]:
    set_unchanged_aside(upper, lower)
    return [node.entry.path for node in tree_nodes(upper)]


def test_a_file_that_was_only_copied_up_is_dropped_with_its_directories(tmp_path: Path) -> None:
    assert left(tree(tmp_path / "upper", a__b__f="x"), tree(tmp_path / "lower", a__b__f="x")) == []


def test_a_directory_counts_for_its_attributes_and_not_for_its_time(tmp_path: Path) -> None:
    upper, lower = tree(tmp_path / "upper", a__f="x", b__f="x"), tree(tmp_path / "lower", a__f="x", b__f="x")
    os.utime(upper / "a")
    (upper / "b").chmod(0o700)
    assert left(upper, lower) == ["b"]


@pytest.mark.parametrize("text", ["other", "z"], ids=["another size", "the same size and time"])
def test_a_file_with_another_content_stays(text: str, tmp_path: Path) -> None:
    assert left(tree(tmp_path / "upper", f=text), tree(tmp_path / "lower", f="x")) == ["f"]


@pytest.mark.parametrize("change", [lambda file: file.chmod(0o600), os.utime], ids=["mode", "time"])
def test_a_file_with_another_attribute_stays(change: object, tmp_path: Path) -> None:
    upper = tree(tmp_path / "upper", f="x")
    change(upper / "f")  # type: ignore[operator]
    assert left(upper, tree(tmp_path / "lower", f="x")) == ["f"]


def test_what_a_higher_layer_changed_back_stays(tmp_path: Path) -> None:
    lower = [tree(tmp_path / "high", f="new"), tree(tmp_path / "low", f="x")]
    assert left(tree(tmp_path / "upper", f="x"), *lower) == ["f"]


def test_a_directory_above_what_stays_keeps_the_time_that_the_step_gave_it(tmp_path: Path) -> None:
    upper = tree(tmp_path / "upper", a__f="x", a__g="new")
    left(upper, tree(tmp_path / "lower", a__f="x"))
    assert (upper / "a").stat().st_mtime_ns == OLD


def test_a_directory_that_does_not_count_keeps_its_time_for_the_steps_that_follow(tmp_path: Path) -> None:
    upper = tree(tmp_path / "upper", a__f="x")
    os.utime(upper / "a", ns=(OLD, OLD + 5))
    assert left(upper, tree(tmp_path / "lower", a__f="x")) == []
    assert (upper / "a").stat().st_mtime_ns == OLD + 5


def test_a_mark_of_a_lower_tree_does_not_hide_what_a_later_step_changes(tmp_path: Path) -> None:
    upper, lower = tree(tmp_path / "upper", a__f="x"), tree(tmp_path / "lower", a__f="x")
    left(upper, lower)
    (upper / "a/new").write_text("x")
    assert left(upper, lower) == ["a", "a/new"]


def test_a_link_in_a_lower_tree_is_not_followed(tmp_path: Path) -> None:
    lower = tree(tmp_path / "lower")
    tree(tmp_path / "elsewhere", f="x")
    lower.mkdir()
    (lower / "a").symlink_to(tmp_path / "elsewhere")
    assert left(tree(tmp_path / "upper", a__f="x"), lower) == ["a", "a/f"]


def test_a_directory_that_was_made_anew_stays_with_all_that_is_in_it(tmp_path: Path) -> None:
    upper = tree(tmp_path / "upper", a__f="x")
    os.setxattr(upper / "a", OPAQUE_XATTR, b"y")
    assert left(upper, tree(tmp_path / "lower", a__f="x")) == ["a", "a/f"]
