from __future__ import annotations

import os
import resource
import socket
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from archives import file_node, layers, tar_of
from hypothesis import given, settings

from builder.snapshot.errors import SnapshotError
from builder.snapshot.tree import TreeLayer, tree_nodes
from builder.snapshot.unpack import materialize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.snapshot.entry import Node

pytestmark = pytest.mark.root


def paths(root: Path) -> list[tuple[str, str]]:
    return [(node.entry.path, node.entry.kind) for node in tree_nodes(root)]


@pytest.fixture
def upper(tmp_path: Path) -> Iterator[Path]:
    """The upper directory of an overlay whose lower one holds `dir/a`, `dir/b` and `file`."""
    for name in ("lower/dir", "upper", "work", "merged"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("dir/a", "dir/b", "file"):
        (tmp_path / "lower" / name).write_text(name)
    options = f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    mount = ["mount", "-t", "overlay", "-o", options, "overlay", tmp_path / "merged"]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("overlayfs cannot be mounted here")
    yield tmp_path / "upper"
    subprocess.run(["umount", tmp_path / "merged"], check=True)


def test_what_a_step_removed_from_an_overlay_is_a_whiteout(upper: Path) -> None:
    merged = upper.parent / "merged"
    (merged / "file").unlink()
    (merged / "dir/a").unlink()

    assert paths(upper) == [("dir", "dir"), ("dir/a", "whiteout"), ("file", "whiteout")]


def test_a_directory_that_a_step_made_anew_is_opaque(upper: Path) -> None:
    merged = upper.parent / "merged"
    for name in ("a", "b"):
        (merged / "dir" / name).unlink()
    (merged / "dir").rmdir()
    (merged / "dir").mkdir()

    (node,) = tree_nodes(upper)

    assert node.entry.opaque
    assert node.entry.xattrs == ()


@settings(max_examples=40)
@given(layers())
def test_the_view_of_a_tree_agrees_with_its_list(nodes: list[Node]) -> None:
    with TemporaryDirectory() as folder:
        materialize(nodes, Path(folder))
        with TreeLayer(Path(folder)) as tree:
            for node in tree_nodes(Path(folder)):
                found = tree.get(node.entry.path)
                assert found is not None
                assert found.entry == node.entry or node.entry.kind == "hardlink"
            folders = ["", *(node.entry.path for node in nodes if node.entry.kind == "dir")]
            below = sorted(child.entry.path for path in folders for child in tree.below(path))
            assert below == sorted(node.entry.path for node in nodes)


def test_the_same_tree_gives_the_same_archive(tmp_path: Path) -> None:
    for order, name in (("abc", "one"), ("cba", "two")):
        for letter in order:
            (tmp_path / name / letter).mkdir(parents=True)
            (tmp_path / name / letter / "f").write_text(letter)
        for path in sorted((tmp_path / name).rglob("*"), reverse=True):
            os.utime(path, (1, 1))

    assert tar_of(tree_nodes(tmp_path / "one")) == tar_of(tree_nodes(tmp_path / "two"))


def test_entries_come_in_the_order_of_the_archive(tmp_path: Path) -> None:
    for name in ("a/x", "a-b/y", "a.c/z"):
        (tmp_path / name).mkdir(parents=True)

    assert [path for path, _ in paths(tmp_path)] == ["a", "a/x", "a-b", "a-b/y", "a.c", "a.c/z"]


def test_the_first_name_of_a_file_is_the_file_and_others_link_to_it(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("x")
    os.link(tmp_path / "b", tmp_path / "a")
    os.link(tmp_path / "b", tmp_path / "c")

    nodes = list(tree_nodes(tmp_path))

    assert [(node.entry.kind, node.entry.link) for node in nodes] == [
        ("file", ""),
        ("hardlink", "a"),
        ("hardlink", "a"),
    ]


def test_sockets_are_left_out_and_fifos_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(tmp_path / "socket"))

        assert paths(tmp_path) == [("pipe", "fifo")]
        assert TreeLayer(tmp_path).get("socket") is None


def test_only_capabilities_are_kept_of_extended_attributes(tmp_path: Path) -> None:
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    (tmp_path / "f").write_text("x")
    for name, value in {
        "security.capability": capability,
        "user.note": b"x",
        "trusted.overlay.origin": b"",
    }.items():
        os.setxattr(tmp_path / "f", name, value)

    (node,) = tree_nodes(tmp_path)

    assert node.entry.xattrs == (("security.capability", capability),)


@pytest.mark.parametrize("mark", ["trusted.overlay.redirect", "trusted.overlay.metacopy"])
def test_a_tree_that_only_refers_to_lower_layers_is_refused(tmp_path: Path, mark: str) -> None:
    (tmp_path / "moved").mkdir()
    os.setxattr(tmp_path / "moved", mark, b"/from")

    with pytest.raises(SnapshotError, match="reference to a lower layer"):
        list(tree_nodes(tmp_path))


def test_nothing_stands_below_a_link_or_a_file_or_nothing(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/f").write_text("x")
    (tmp_path / "link").symlink_to("real")

    with TreeLayer(tmp_path) as tree:
        for path in ("link/f", "real/f/x", "missing", "missing/x", "n" * 300):
            assert tree.get(path) is None
        for path in ("link", "real/f", "missing"):
            assert list(tree.below(path)) == []


def test_a_tree_deeper_than_there_are_descriptors_is_listed(tmp_path: Path) -> None:
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    try:
        materialize([file_node("/".join("d" * 400))], tmp_path)

        assert sum(1 for _ in tree_nodes(tmp_path)) == 400
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (usual, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
