"""ADD of local archives: what is unpacked, where it lands, and what it may not do."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tarfile
from typing import TYPE_CHECKING

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import NOW_NS, Text, copy, directory, file, run, symlink, view

from builder.graph.operations import Owner
from builder.snapshot.archives import is_archive
from builder.snapshot.errors import InvalidLayer, PathConflict, SnapshotError, UnsafePath

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from memory import Result

    from builder.snapshot.entry import FileView


def member(
    name: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"", **fields: object
) -> tuple[object, bytes]:
    entry = tarfile.TarInfo(name)
    entry.type, entry.size, entry.mtime, entry.mode = kind, len(data), 5, 0o640
    for field, value in fields.items():
        setattr(entry, field, value)
    return entry, data


def archive(*members: tuple[object, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as writer:
        for entry, data in members:
            writer.addfile(entry, io.BytesIO(data))  # type: ignore[arg-type]
    return made.getvalue()


def add(
    content: bytes,
    scratch: Path,
    *,
    to: str = "/x",
    below: FileView | None = None,
    owner: Owner | None = None,
) -> Result:
    """`ADD a.tar TO`."""
    action = copy("a.tar", to, unpack=True, owner=owner, mode=0o600)
    return run(action, source=view(file("a.tar", content)), below=below, scratch=scratch)


SIMPLE = archive(member("d", tarfile.DIRTYPE, mode=0o711), member("d/f", data=b"1", uid=7, gid=8))
# So large that what is left of it when it is cut begins with a whole block of each format.
LARGE = archive(member("f", data=random.Random(0).randbytes(1_000_000)))
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "gzip-members": lambda data: gzip.compress(data[:700]) + gzip.compress(data[700:]),
    "bzip2-streams": lambda data: bz2.compress(data[:700]) + bz2.compress(data[700:]),
}


@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS)
def test_archive_is_unpacked_into_the_destination(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    result = add(compress(SIMPLE), tmp_path)

    assert (result.paths, result.files) == ("x x/d x/d/f", {"x/d/f": b"1"})


def test_members_keep_their_owner_mode_and_time_despite_chmod(tmp_path: Path) -> None:
    entry = add(SIMPLE, tmp_path)["x/d/f"]

    assert (entry.mode, entry.uid, entry.gid, entry.mtime_ns) == (0o640, 7, 8, 5_000_000_000)


def test_chown_owns_all_members(tmp_path: Path) -> None:
    result = add(SIMPLE, tmp_path, owner=Owner(1, 2))

    assert {(node.entry.uid, node.entry.gid) for node in result.nodes if node.entry.path} == {(1, 2)}


def test_existing_directory_takes_the_attributes_of_the_archive(tmp_path: Path) -> None:
    result = add(SIMPLE, tmp_path, below=view(directory("x/d", mode=0o700), "x/d/old"))

    assert (result["x/d"].mode, result.paths) == (0o711, "x x/d x/d/f")


@pytest.mark.parametrize(
    "content",
    [b"", b"text", gzip.compress(b"text"), bytes(1024), gzip.compress(SIMPLE)[:15], SIMPLE[:511]],
    ids=["empty", "text", "compressed text", "zeros", "compressed and cut off", "cut off"],
)
def test_file_that_is_no_archive_is_copied_unchanged(content: bytes, tmp_path: Path) -> None:
    result = add(content, tmp_path, to="/x/")

    assert (result.files, result["x/a.tar"].mode) == ({"x/a.tar": content}, 0o600)


def test_archive_is_copied_unchanged_without_unpacking() -> None:
    assert run(copy("a.tar", "/x"), source=view(file("a.tar", SIMPLE))).files == {"x": SIMPLE}


def test_directory_source_is_copied_and_its_archives_stay_archives(tmp_path: Path) -> None:
    result = run(copy("d", "/x", unpack=True), source=view(file("d/a.tar", SIMPLE)), scratch=tmp_path)

    assert result.files == {"x/a.tar": SIMPLE}


def test_destination_that_is_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PathConflict, match=r"^mkdir /x: not a directory$"):
        add(SIMPLE, tmp_path, below=view("x"))


def test_archives_of_one_step_do_not_get_in_each_others_way(tmp_path: Path) -> None:
    source = view(
        file("a.tar", archive(member("f", data=b"1"))), file("b.tar", archive(member("g", data=b"2")))
    )

    result = run(
        copy("*.tar", "/x", unpack=True), copy("b.tar", "/y", unpack=True), source=source, scratch=tmp_path
    )

    assert result.files == {"x/f": b"1", "x/g": b"2", "y/g": b"2"}


def test_missing_parents_are_made_and_of_the_time_of_the_step(tmp_path: Path) -> None:
    entry = add(archive(member("a/b/f")), tmp_path)["x/a/b"]

    assert (entry.mode, entry.mtime_ns) == (0o755, NOW_NS)


def test_member_replaces_what_stands_at_its_path(tmp_path: Path) -> None:
    content = archive(member("f", data=b"1"), member("d", tarfile.DIRTYPE), member("d/g", data=b"2"))

    result = add(content, tmp_path, below=view("x/f/old/file", "x/d"))

    assert (result.paths, result.files) == ("x x/d x/d/g x/f", {"x/d/g": b"2", "x/f": b"1"})


def test_directory_in_place_of_a_file_that_replaced_one_hides_what_was_in_it(tmp_path: Path) -> None:
    content = archive(member("d", data=b"1"), member("d", tarfile.DIRTYPE), member("d/new"))

    result = add(content, tmp_path, below=view("x/d/old"))

    assert result["x/d"].opaque
    assert result.paths == "x x/d x/d/new"


def test_later_member_of_the_same_name_wins(tmp_path: Path) -> None:
    assert add(archive(member("f", data=b"1"), member("f", data=b"2")), tmp_path).files == {"x/f": b"2"}


def test_hard_links_devices_and_links_are_unpacked(tmp_path: Path) -> None:
    content = archive(
        member("z", data=b"1"),
        member("a", tarfile.LNKTYPE, linkname="z"),
        member("l", tarfile.SYMTYPE, linkname="../../etc"),
        member("p", tarfile.FIFOTYPE),
        member("n", tarfile.CHRTYPE, devmajor=1, devminor=3),
    )

    result = add(content, tmp_path)

    assert [(node.entry.path, node.entry.kind, node.entry.link) for node in result.nodes[2:]] == [
        ("x/a", "file", ""),
        ("x/l", "symlink", "../../etc"),
        ("x/n", "char", ""),
        ("x/p", "fifo", ""),
        ("x/z", "hardlink", "x/a"),
    ]


def test_several_names_of_a_link_stay_one_link(tmp_path: Path) -> None:
    content = archive(member("a", tarfile.SYMTYPE, linkname="t"), member("b", tarfile.LNKTYPE, linkname="a"))

    entries = [node.entry for node in add(content, tmp_path).nodes[2:]]

    assert [(each.path, each.kind, each.link) for each in entries] == [
        ("x/a", "symlink", "t"),
        ("x/b", "hardlink", "x/a"),
    ]


def test_times_before_the_epoch_become_the_epoch(tmp_path: Path) -> None:
    assert add(archive(member("f", mtime=-5)), tmp_path)["x/f"].mtime_ns == 0


@pytest.mark.parametrize("name", ["../f", "a/../../f"])
def test_name_that_leads_out_of_the_archive_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidLayer):
        add(archive(member(name)), tmp_path)


def test_absolute_name_lands_below_the_destination(tmp_path: Path) -> None:
    assert add(archive(member("/etc/passwd", data=b"1")), tmp_path).files == {"x/etc/passwd": b"1"}


@pytest.mark.parametrize("target", ["/etc", "../etc", "/"])
def test_member_behind_a_link_of_the_archive_that_leads_out_is_refused(target: str, tmp_path: Path) -> None:
    content = archive(member("l", tarfile.SYMTYPE, linkname=target), member("l/passwd"))

    with pytest.raises(UnsafePath, match=r"'l/passwd' would land in /"):
        add(content, tmp_path, below=view("etc/"))


def test_member_behind_a_link_of_the_image_that_leads_out_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafePath, match=r"would land in /etc, outside of /x"):
        add(archive(member("l/passwd")), tmp_path, below=view(symlink("x/l", "/etc"), "etc/"))


def test_member_behind_a_link_that_stays_inside_is_unpacked_there(tmp_path: Path) -> None:
    result = add(
        archive(member("lib/f")), tmp_path, to="/", below=view(symlink("lib", "usr/lib"), "usr/lib/")
    )

    assert result.paths == "usr usr/lib usr/lib/f"


@pytest.mark.parametrize("target", ["missing", "d", "../../etc/shadow", "etc/shadow"])
def test_hard_link_to_anything_but_a_file_of_the_archive_is_refused(target: str, tmp_path: Path) -> None:
    content = archive(member("d", tarfile.DIRTYPE), member("h", tarfile.LNKTYPE, linkname=target))

    with pytest.raises(InvalidLayer):
        add(content, tmp_path, to="/", below=view("etc/shadow"))


@pytest.mark.parametrize("name", [".wh.f", "d/.wh..wh..opq", ".wh.d/f"])
def test_name_that_would_remove_files_in_a_layer_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafePath, match=r"names that begin with '\.wh\.' remove files"):
        add(archive(member(name)), tmp_path)


def test_name_that_would_remove_files_in_a_layer_is_refused_in_copies_too() -> None:
    with pytest.raises(UnsafePath):
        run(copy("d", "/x"), source=view("d/.wh.f"))


@pytest.mark.parametrize("name", ["plain", "gzip", "bzip2", "xz", "zstd"])
def test_archive_that_is_cut_off_is_an_error(name: str, tmp_path: Path) -> None:
    compressed = COMPRESSIONS[name](LARGE)

    with pytest.raises(InvalidLayer):
        add(compressed[:-20_000], tmp_path)


def test_archive_whose_checksum_is_wrong_is_an_error(tmp_path: Path) -> None:
    compressed = bytearray(gzip.compress(LARGE))
    compressed[-8] ^= 1

    with pytest.raises(InvalidLayer):
        add(bytes(compressed), tmp_path)


def test_xz_that_asks_for_too_much_memory_is_no_archive() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 29}]

    assert not is_archive(Text(lzma.compress(SIMPLE, filters=filters)))


@settings(deadline=None)
@given(st.integers(0, len(SIMPLE) - 1), st.integers(1, 255))
def test_no_damage_makes_anything_land_outside(
    tmp_path_factory: pytest.TempPathFactory, position: int, flip: int
) -> None:
    damaged = bytearray(SIMPLE)
    damaged[position] ^= flip

    try:
        result = add(bytes(damaged), tmp_path_factory.mktemp("scratch"))
    except SnapshotError:
        return

    assert all(node.entry.path.split("/")[0] in ("", "x") for node in result.nodes)


def test_directory_made_for_an_archive_does_not_take_the_mode_of_copies(tmp_path: Path) -> None:
    result = add(SIMPLE, tmp_path)

    assert result["x"].mode == 0o755
