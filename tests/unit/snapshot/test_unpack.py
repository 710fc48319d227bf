from __future__ import annotations

import os
import stat
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from archives import archive, file_node, layers, member, plain_layer, tar_of, tree_of, with_digest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.oci.digest import DiffID, Digest
from builder.snapshot.disk import Directory, InlineContent, node_of
from builder.snapshot.entry import Entry, Node
from builder.snapshot.errors import ContentChanged, InvalidLayer, SnapshotError
from builder.snapshot.tree import TreeLayer, tree_nodes
from builder.snapshot.unpack import materialize, unpack_layer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.snapshot.index import LayerScan

pytestmark = pytest.mark.root

# What ext4 and tmpfs alike can store.
_DISK_TIMES = st.integers(0, (1 << 32) * 10**9)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """An empty directory, with a canary beside it that must not change."""
    (tmp_path / "canary").mkdir()
    (tmp_path / "canary/file").write_text("untouched")
    (tmp_path / "root").mkdir()
    before = tree_of(tmp_path / "canary")
    yield tmp_path / "root"
    assert tree_of(tmp_path / "canary") == before
    assert (tmp_path / "canary/file").read_text() == "untouched"


def unpack(written: bytes, root: Path) -> LayerScan:
    return unpack_layer(plain_layer(written), root)


def shown(root: Path) -> list[Entry]:
    return [with_digest(node) for node in tree_nodes(root)]


@settings(max_examples=60)
@given(layers())
def test_an_unpacked_layer_holds_the_entries_that_were_written(nodes: list[Node]) -> None:
    with TemporaryDirectory() as folder:
        scan = unpack(tar_of(nodes), Path(folder))

        assert shown(Path(folder)) == [with_digest(node) for node in nodes]
        assert list(scan.index.entries()) == [with_digest(node) for node in nodes]


@settings(max_examples=60)
@given(layers(times=_DISK_TIMES))
def test_a_materialized_recipe_holds_its_entries_to_the_nanosecond(nodes: list[Node]) -> None:
    with TemporaryDirectory() as folder:
        implied = materialize(nodes, Path(folder))

        assert shown(Path(folder)) == [with_digest(node) for node in nodes]
        assert implied == ()


@settings(max_examples=60)
@given(layers(), st.data())
def test_a_damaged_archive_makes_another_diff_id_and_nothing_outside(
    nodes: list[Node], data: st.DataObject
) -> None:
    written = tar_of(nodes)
    damaged = bytearray(written)
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))

    with TemporaryDirectory() as folder:
        (Path(folder) / "root").mkdir()
        with pytest.raises(SnapshotError):
            unpack_layer(
                plain_layer(bytes(damaged)), Path(folder, "root"), expected=DiffID(Digest.of(written))
            )
        assert os.listdir(folder) == ["root"]


_PATHS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map("/".join)
_TARGETS = st.sampled_from(["a", "b", "../a", "/b/c", ".", "..", "/", "c/a", "../../../b"])
_MEMBERS = st.one_of(
    st.builds(member, _PATHS, content=st.sampled_from([b"x", b"yy"])),
    st.builds(member, _PATHS, st.sampled_from([tarfile.DIRTYPE, tarfile.FIFOTYPE])),
    st.builds(member, _PATHS, st.just(tarfile.SYMTYPE), link=_TARGETS),
    st.builds(member, _PATHS, st.just(tarfile.LNKTYPE), link=_PATHS),
    st.builds(lambda path: member("/.wh.".join(("/" + path).rsplit("/", 1))), _PATHS),
    st.builds(lambda path: member(path + "/.wh..wh..opq"), _PATHS),
)


@settings(max_examples=150)
@given(st.lists(_MEMBERS, max_size=10))
def test_whatever_an_archive_does_its_tree_and_its_index_agree(members: list[tarfile.TarInfo]) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / "root").mkdir()
        try:
            scan = unpack(archive(*members), Path(folder, "root"))
        except InvalidLayer:
            return
        finally:
            assert os.listdir(folder) == ["root"]
        with TreeLayer(Path(folder, "root")) as tree:
            listed = [node.entry.path for node in tree_nodes(Path(folder, "root"))]
            assert listed == [entry.path for entry in scan.index.entries()]
            for path in listed:
                on_disk, indexed = tree.get(path), scan.index.get(path)
                assert on_disk is not None
                assert indexed is not None
                assert with_digest(on_disk) == indexed.entry


def test_whiteouts_and_opaque_directories_are_as_overlayfs_has_them(root: Path) -> None:
    unpack(archive(member("d/.wh..wh..opq"), member("d/.wh.gone"), member("d/kept")), root)

    gone = (root / "d/gone").lstat()
    assert stat.S_ISCHR(gone.st_mode)
    assert gone.st_rdev == 0
    assert os.getxattr(root / "d", "trusted.overlay.opaque") == b"y"
    assert (root / "d/kept").is_file()


def test_attributes_are_set_in_an_order_that_keeps_them(root: Path) -> None:
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    attributes = {"uid": 33, "gid": 34, "mode": 0o6755, "mtime_ns": 5 * 10**9}
    ping = file_node("ping", b"x", xattrs=(("security.capability", capability),), **attributes)

    unpack(tar_of([ping]), root)

    status = (root / "ping").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (33, 34, 0o6755)
    assert status.st_mtime == 5
    assert os.getxattr(root / "ping", "security.capability") == capability


def test_attributes_that_are_the_kernels_own_are_not_taken_from_layers(root: Path) -> None:
    names = ("trusted.overlay.redirect", "user.note", "nonsense.name")
    nodes = [
        file_node("f", xattrs=tuple((name, b"x") for name in names)),
        Node(Entry("p", "fifo", xattrs=(("user.note", b"x"),))),
    ]

    unpack(tar_of(nodes), root)

    assert os.listxattr(root / "f") == ["user.note"]
    assert os.listxattr(root / "p") == []


def test_times_of_directories_outlast_their_filling(root: Path) -> None:
    nodes = [Node(Entry("d", "dir", 0o755, mtime_ns=7 * 10**9)), file_node("d/f", b"x")]

    unpack(tar_of(nodes), root)

    assert (root / "d").stat().st_mtime == 7


def test_missing_parents_are_made_and_reported(root: Path) -> None:
    scan = unpack(archive(member("a/b/f")), root)

    assert scan.implied == ("a", "a/b")
    status = (root / "a/b").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_mtime) == (0o755, 0, 0)


def test_a_layer_with_another_diff_id_is_refused(root: Path) -> None:
    with pytest.raises(InvalidLayer, match="but its image says"):
        unpack_layer(plain_layer(tar_of([])), root, expected=DiffID(Digest.of(b"other")))


def test_later_entries_replace_earlier_ones_of_any_kind(root: Path) -> None:
    scan = unpack(
        archive(
            member("d", tarfile.DIRTYPE),
            member("d/e", tarfile.DIRTYPE),
            member("d/e/f", content=b"old"),
            member("d", content=b"file now"),
            member("s", tarfile.SYMTYPE, link="/canary"),
            member("s", content=b"no link"),
            member(".wh.w"),
            member("w/f", content=b"x"),
        ),
        root,
    )

    assert (root / "d").read_bytes() == b"file now"
    assert (root / "s").read_bytes() == b"no link"
    assert os.getxattr(root / "w", "trusted.overlay.opaque") == b"y"
    assert [entry.path for entry in scan.index.entries()] == ["d", "s", "w", "w/f"]
    assert shown(root) == list(scan.index.entries())


def test_a_deep_tree_can_be_replaced(root: Path) -> None:
    deep = "/".join("d" * 1500)

    unpack(archive(member(deep + "/f"), member("d", content=b"x")), root)

    assert (root / "d").read_bytes() == b"x"


def test_hard_links_are_names_of_one_file(root: Path) -> None:
    unpack(archive(member("a", content=b"x"), member("d/b", tarfile.LNKTYPE, link="./a")), root)

    assert (root / "a").stat().st_ino == (root / "d/b").stat().st_ino


_CANARY = "../canary"
_HOSTILE = {
    "upwards": [member("../canary/file", content=b"x")],
    "hard link upwards": [member("x", tarfile.LNKTYPE, link="../canary/file")],
    "hard link through a link": [
        member("way", tarfile.SYMTYPE, link=_CANARY),
        member("x", tarfile.LNKTYPE, link="way/file"),
    ],
    "file as a parent": [member("f"), member("f/g")],
    "long name": [member("n" * 256)],
    "circles": [member("a", tarfile.SYMTYPE, link="a"), member("a/b")],
    "whiteout upwards": [member("a/.wh...")],
    "link too long": [member("x", tarfile.SYMTYPE, link="l" * 5000)],
}


@pytest.mark.parametrize("case", _HOSTILE)
def test_hostile_archives_are_refused_and_change_nothing_outside(root: Path, case: str) -> None:
    with pytest.raises(InvalidLayer):
        unpack(archive(*_HOSTILE[case]), root)


@pytest.mark.parametrize("target", [_CANARY, "../../canary", "/canary"])
@pytest.mark.parametrize(
    "second",
    [
        member("way/file", content=b"x"),
        member("way/.wh.file"),
        member("way/.wh..wh..opq"),
        member("way/file", tarfile.DIRTYPE),
        member("way/file", tarfile.SYMTYPE, link="x"),
        member("way/file", tarfile.FIFOTYPE),
    ],
    ids=["file", "whiteout", "opaque", "directory", "link", "fifo"],
)
def test_what_goes_through_a_link_of_the_layer_stays_inside(
    root: Path, target: str, second: tarfile.TarInfo
) -> None:
    scan = unpack(archive(member("way", tarfile.SYMTYPE, link=target), second), root)

    assert {entry.path.split("/")[0] for entry in scan.index.entries()} == {"way", "canary"}
    assert (root / "canary").is_dir()


def test_an_absolute_name_stands_below_the_root(root: Path) -> None:
    unpack(archive(member(f"{root.parent}/canary/file", content=b"x")), root)

    assert root.joinpath(*root.parent.parts[1:], "canary/file").read_bytes() == b"x"


def test_attributes_of_a_hard_link_to_a_link_do_not_reach_its_target(root: Path) -> None:
    unpack(
        archive(
            member("way", tarfile.SYMTYPE, link="../canary/file"), member("x", tarfile.LNKTYPE, link="way")
        ),
        root,
    )

    assert (root / "x").is_symlink()


def test_a_recipe_is_copied_from_a_directory_with_its_large_files(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "to").mkdir()
    content = os.urandom(3 << 20)
    (tmp_path / "from/large").write_bytes(content)
    with Directory(tmp_path / "from") as directory:
        node = node_of(directory, "large", directory.lstat("large"))
        assert node is not None
        inline = file_node("memory", content)

        materialize([node, inline], tmp_path / "to")

    assert (tmp_path / "to/large").read_bytes() == content
    assert (tmp_path / "to/memory").read_bytes() == content


@pytest.mark.parametrize("size", [1, 3, 1 << 20])
def test_a_recipe_whose_file_has_another_size_is_refused(tmp_path: Path, size: int) -> None:
    node = Node(Entry("f", "file", 0o644, size=size), InlineContent(b"xx"))

    with pytest.raises(ContentChanged, match="that were listed"):
        materialize([node], tmp_path)


def test_the_root_of_a_recipe_needs_no_making(tmp_path: Path) -> None:
    assert materialize([Node(Entry("", "dir", 0o700)), file_node("f")], tmp_path) == ()


def test_a_full_disk_is_told_from_a_bad_layer(tmp_path: Path) -> None:
    # A file system of one page is full at once.
    import subprocess

    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", tmp_path], check=True)
    try:
        with pytest.raises(SnapshotError, match="No space left") as caught:
            unpack(tar_of([file_node("f", b"x" * 10_000)]), tmp_path)
    finally:
        subprocess.run(["umount", tmp_path], check=True)

    assert not isinstance(caught.value, InvalidLayer)
    assert caught.value.hint is not None
