from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from archives import archive, file_node, layers, member, plain_layer, tar_of, with_digest
from hypothesis import given
from hypothesis import strategies as st

from builder.oci.digest import DiffID, Digest
from builder.snapshot.entry import Entry, Node
from builder.snapshot.errors import InvalidLayer
from builder.snapshot.index import index_layer, load_index, save_index, scan_layer

_OTHER = DiffID(Digest.of(b"other"))


@given(layers())
def test_a_scan_lists_what_was_written_with_digests(nodes: list[Node]) -> None:
    written = tar_of(nodes)

    scan = scan_layer(plain_layer(written), expected=DiffID(Digest.of(written)))

    assert list(scan.index.entries()) == [with_digest(node) for node in nodes]
    assert (scan.implied, scan.size) == ((), len(written))


@given(layers())
def test_a_stored_index_gives_back_its_entries(nodes: list[Node]) -> None:
    entries = [with_digest(node) for node in nodes]
    with TemporaryDirectory() as folder:
        save_index(index_layer(entries), Path(folder, "index"))

        assert list(load_index(Path(folder, "index")).entries()) == entries
        assert [path.name for path in Path(folder).iterdir()] == ["index"]


@given(layers())
def test_the_view_knows_each_path_and_what_is_below_it(nodes: list[Node]) -> None:
    entries = [with_digest(node) for node in nodes]
    layer = index_layer(entries)

    for entry in entries:
        found = layer.get(entry.path)
        assert found is not None
        assert found.content is None
        assert found.entry == entry or entry.kind == "hardlink"
    below = [node.entry.path for folder in ("", *(e.path for e in entries)) for node in layer.below(folder)]
    assert sorted(below) == sorted(entry.path for entry in entries)


def test_a_path_that_the_layer_does_not_speak_of_is_unknown() -> None:
    layer = index_layer([Entry("a", "dir"), Entry("a/b", "file")])

    assert layer.get("b") is None
    assert list(layer.below("b")) == []
    assert list(index_layer([]).below("")) == []


def test_a_hard_link_is_shown_as_the_file_it_names() -> None:
    digest = Digest.of(b"x")
    layer = index_layer(
        [Entry("a", "file", 0o755, size=1, digest=digest), Entry("b", "hardlink", 0o755, link="a")]
    )

    found = layer.get("b")

    assert found == Node(Entry("b", "file", 0o755, size=1, digest=digest))


def test_rare_attributes_and_raw_names_survive_on_disk(tmp_path: Path) -> None:
    entries = [
        Entry("d", "dir", opaque=True, mtime_ns=-1),
        Entry("d/\udcff", "file", xattrs=(("security.capability", b"\0\xff"), ("user.\udcfe", b""))),
        Entry("dev", "block", device=(4095, 1048575)),
    ]
    save_index(index_layer(entries), tmp_path / "index")

    assert list(load_index(tmp_path / "index").entries()) == entries


def test_digests_take_no_room_where_none_is_known(tmp_path: Path) -> None:
    entries = [Entry(f"f{number}", "file") for number in range(1000)]
    save_index(index_layer(entries), tmp_path / "index")

    assert (tmp_path / "index").stat().st_size < 1000 * 32
    assert list(load_index(tmp_path / "index").entries()) == entries


def test_a_layer_with_another_diff_id_is_refused() -> None:
    with pytest.raises(InvalidLayer, match="but its image says"):
        scan_layer(plain_layer(tar_of([])), expected=_OTHER)


def test_bytes_behind_the_archive_count_for_the_diff_id() -> None:
    written = tar_of([file_node("f", b"x")]) + b"table of contents"

    assert scan_layer(plain_layer(written)).diff_id == Digest.of(written)


def test_implied_directories_are_listed_and_named() -> None:
    scan = scan_layer(plain_layer(archive(member("a/b/f"))))

    assert [entry.path for entry in scan.index.entries()] == ["a", "a/b", "a/b/f"]
    assert scan.implied == ("a", "a/b")


@given(st.data())
def test_a_damaged_index_is_refused_or_read_but_never_crashes(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "index")
        save_index(
            index_layer(
                [Entry("a", "file"), Entry("b", "hardlink", link="a"), Entry("c", "symlink", link="x")]
            ),
            path,
        )
        damaged = bytearray(path.read_bytes())
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(damaged)

        try:
            layer = load_index(path)
            list(layer.entries())
            list(layer.below(""))
        except InvalidLayer:
            pass


def test_an_index_of_another_version_is_refused(tmp_path: Path) -> None:
    save_index(index_layer([]), tmp_path / "index")
    columns = msgspec.msgpack.decode((tmp_path / "index").read_bytes())
    (tmp_path / "index").write_bytes(msgspec.msgpack.encode([99, *columns[1:]]))

    with pytest.raises(InvalidLayer, match="version 99"):
        load_index(tmp_path / "index")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (1, b"\0x", "half a path"),
        (2, b"\x09", "unknown kind"),
        (3, b"x", "different lengths"),
        (8, b"x", "different lengths"),
    ],
)
def test_columns_that_do_not_fit_together_are_refused(
    tmp_path: Path, column: int, value: object, message: str
) -> None:
    save_index(index_layer([Entry("a", "file")]), tmp_path / "index")
    columns = msgspec.msgpack.decode((tmp_path / "index").read_bytes())
    columns[column] = value
    (tmp_path / "index").write_bytes(msgspec.msgpack.encode(columns))

    with pytest.raises(InvalidLayer, match=message):
        load_index(tmp_path / "index")


def test_an_index_that_could_not_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()

    with pytest.raises(OSError, match="directory"):
        save_index(index_layer([]), tmp_path / "index")

    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_an_index_may_be_saved_by_many_threads_at_once(tmp_path: Path) -> None:
    index = index_layer([Entry("a", "file")])
    with ThreadPoolExecutor(8) as threads:
        saved = [threads.submit(save_index, index, tmp_path / "index") for _ in range(200)]
    assert [each.exception() for each in saved if each.exception()] == []
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
