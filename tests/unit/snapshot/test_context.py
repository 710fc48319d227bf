"""A directory of the caller as the build sees it."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory import Result, copy

from builder.graph.globs import PatternError
from builder.graph.operations import File
from builder.graph.patterns import IgnorePatterns
from builder.snapshot.context import ContextView
from builder.snapshot.copy import FilePlan
from builder.snapshot.disk import Directory
from builder.snapshot.errors import ContentChanged
from builder.snapshot.stack import EMPTY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from builder.snapshot.entry import FileView


def make(root: Path, *paths: str) -> None:
    """Files that hold their own path; a trailing slash makes a directory."""
    for path in paths:
        target = root / path
        if path.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(os.fsencode(path))


def walk(view: FileView, path: str = "") -> Iterator[str]:
    for node in view.children(path):
        yield node.entry.path
        if node.entry.kind == "dir":
            yield from walk(view, node.entry.path)


def seen(root: Path, *exclude: str) -> str:
    with Directory(root) as opened:
        return " ".join(walk(ContextView(opened, exclude)))


def test_all_files_are_seen_in_the_order_of_their_bytes(tmp_path: Path) -> None:
    make(tmp_path, "b", "a/z", "a/.h", "a-b", "Z", "empty/")

    assert seen(tmp_path) == "Z a a/.h a/z a-b b empty"


def test_excluded_paths_do_not_exist(tmp_path: Path) -> None:
    make(tmp_path, "a/x", "a/y.log", "b/x", "c.log")

    assert seen(tmp_path, "b", "**/*.log") == "a a/x"


def test_excluded_directory_exists_only_around_what_is_kept(tmp_path: Path) -> None:
    make(tmp_path, "a/b/keep", "a/b/no", "a/c/no", "d/no", "keep")

    assert seen(tmp_path, "**", "!**/keep") == "a a/b a/b/keep keep"


def test_excluded_directory_without_anything_kept_is_not_there(tmp_path: Path) -> None:
    make(tmp_path, "a/b/no")

    with Directory(tmp_path) as opened:
        view = ContextView(opened, ["a", "!a/b/keep"])

        assert view.lstat("a") is None
        assert view.lstat("a/b") is None


def test_lookups_agree_with_listings(tmp_path: Path) -> None:
    make(tmp_path, "a/b/keep", "a/b/no", "c/no")

    with Directory(tmp_path) as opened:
        view = ContextView(opened, ["*", "!a/b/keep"])
        found = {
            path: view.lstat(path) is not None for path in ("", "a", "a/b", "a/b/keep", "a/b/no", "c", "c/no")
        }

    assert found == {
        "": True,
        "a": True,
        "a/b": True,
        "a/b/keep": True,
        "a/b/no": False,
        "c": False,
        "c/no": False,
    }


PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
PATTERNS = st.lists(st.from_regex(r"!?(\*\*/)?[abc*](/[abc*]|/\*\*)?", fullmatch=True), max_size=4)


@given(st.sets(PATHS, min_size=1, max_size=8), PATTERNS)
def test_kept_paths_and_their_parents_are_what_exists(
    tmp_path_factory: pytest.TempPathFactory, paths: set[str], exclude: list[str]
) -> None:
    root = tmp_path_factory.mktemp("context")
    files = [path for path in paths if not any(other.startswith(f"{path}/") for other in paths)]
    make(root, *files)
    patterns = IgnorePatterns(exclude)
    everything = {"/".join(path.split("/")[:end]) for path in files for end in range(1, 4)}
    kept = {path for path in everything if not patterns.excludes_path(path)}
    expected = {"/".join(path.split("/")[:end]) for path in kept for end in range(1, 4)}

    assert set(seen(root, *exclude).split()) == expected


def test_files_belong_to_root_whoever_owns_them(tmp_path: Path) -> None:
    make(tmp_path, "f")
    (tmp_path / "f").chmod(0o4751)
    if os.geteuid() == 0:
        os.chown(tmp_path / "f", 7, 8)
        (tmp_path / "f").chmod(0o4751)

    with Directory(tmp_path) as opened:
        node = ContextView(opened).lstat("f")

    assert node is not None
    assert (node.entry.uid, node.entry.gid, node.entry.mode) == (0, 0, 0o4751)


def test_links_are_seen_as_links_and_nothing_behind_them(tmp_path: Path) -> None:
    make(tmp_path, "context/d/f", "outside")
    (tmp_path / "context/up").symlink_to("..")
    (tmp_path / "context/d/l").symlink_to("/etc/passwd")

    with Directory(tmp_path / "context") as opened:
        view = ContextView(opened)
        link = view.lstat("d/l")

        assert link is not None
        assert (link.entry.kind, link.entry.link) == ("symlink", "/etc/passwd")
        assert view.lstat("up/outside") is None


def test_sockets_do_not_exist_and_fifos_have_no_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo")
    with socket.socket(socket.AF_UNIX) as listener, Directory(tmp_path) as opened:
        listener.bind("socket")

        nodes = list(ContextView(opened).children(""))

    assert [(node.entry.path, node.entry.kind, node.content) for node in nodes] == [("fifo", "fifo", None)]


def test_names_that_are_not_utf8_can_be_copied(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    make(tmp_path, f"d/{name}")

    assert copied(tmp_path, "/d").files == {f"x/{name}": os.fsencode(f"d/{name}")}


def test_file_that_changes_after_it_was_listed_is_noticed(tmp_path: Path) -> None:
    make(tmp_path, "f")
    with Directory(tmp_path) as opened:
        node = ContextView(opened).lstat("f")
        (tmp_path / "f").write_text("longer than before")

        assert node is not None
        assert node.content is not None
        with pytest.raises(ContentChanged):
            node.content.open()


def test_hard_links_of_the_context_are_kept_within_a_source(tmp_path: Path) -> None:
    make(tmp_path, "d/b", "d/c")
    os.link(tmp_path / "d/b", tmp_path / "d/a")
    os.link(tmp_path / "d/c", tmp_path / "outside-of-the-source")

    result = copied(tmp_path, "/d")

    assert [(result[path].kind, result[path].link) for path in ("x/a", "x/b", "x/c")] == [
        ("file", ""),
        ("hardlink", "x/a"),
        ("file", ""),
    ]


def test_copies_of_a_file_with_several_names_are_separate_files(tmp_path: Path) -> None:
    make(tmp_path, "a")
    os.link(tmp_path / "a", tmp_path / "b")
    with Directory(tmp_path) as opened:
        operation = File(base=None, actions=(copy("a", "b", "/x/"), copy("a", "/y")))
        nodes = FilePlan(operation, [None, ContextView(opened)]).nodes(EMPTY, now_ns=1, scratch=tmp_path)

    assert [node.entry.kind for node in nodes] == ["dir", "dir", "file", "file", "file"]


def test_malformed_ignore_pattern_is_found_at_once(tmp_path: Path) -> None:
    with Directory(tmp_path) as opened, pytest.raises(PatternError):
        ContextView(opened, ["[a"])


def copied(root: Path, source: str) -> Result:
    """The layer of `COPY source /x`, read while the context is open."""
    with Directory(root) as opened:
        operation = File(base=None, actions=(copy(source, "/x"),))
        return Result(
            FilePlan(operation, [None, ContextView(opened)]).nodes(EMPTY, now_ns=1, scratch=root)
        ).read()
