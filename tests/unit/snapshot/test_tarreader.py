from __future__ import annotations

import io
import tarfile

import pytest
from archives import archive, file_node, layers, member, tar_of
from hypothesis import given
from hypothesis import strategies as st

from builder.snapshot.entry import Entry, Node
from builder.snapshot.errors import InvalidLayer
from builder.snapshot.tarreader import read_layer, read_tar


def entries(archive: bytes) -> list[Entry]:
    return [entry for entry, _ in read_layer(io.BytesIO(archive))]


def contents(archive: bytes) -> dict[str, bytes]:
    return {entry.path: payload.read(1 << 20) for entry, payload in read_tar(io.BytesIO(archive))}


def pax(records: dict[str, str], **attributes: int) -> bytes:
    info = tarfile.TarInfo("f")
    info.pax_headers = records
    for name, value in attributes.items():
        setattr(info, name, value)
    return info.tobuf(tarfile.PAX_FORMAT) + bytes(1024)


def with_field(offset: int, field: bytes, *, header: bytes | None = None) -> bytes:
    """An archive of one header with `field` in it and a checksum that fits."""
    block = bytearray(header or tarfile.TarInfo("f").tobuf(tarfile.USTAR_FORMAT))
    block[offset : offset + len(field)] = field
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + bytes(1024)


@given(layers())
def test_reading_gives_the_entries_that_were_written(nodes: list[Node]) -> None:
    found = entries(tar_of(nodes))

    marks = [entry.path for entry in found if entry.opaque]
    assert marks == [node.entry.path for node in nodes if node.entry.opaque]
    plain = [node.entry for node in nodes]
    for entry, original in zip([each for each in found if not each.opaque], plain, strict=True):
        assert (entry.path, entry.kind, entry.size) == (original.path, original.kind, original.size)
        assert (entry.mode, entry.uid, entry.gid) == (original.mode, original.uid, original.gid)
        assert (entry.mtime_ns, entry.link, entry.device) == (
            original.mtime_ns,
            original.link,
            original.device,
        )


@given(layers(), st.data())
def test_a_changed_byte_is_an_error_or_another_entry_but_never_a_crash(
    nodes: list[Node], data: st.DataObject
) -> None:
    damaged = bytearray(tar_of(nodes))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))

    try:
        found = entries(bytes(damaged))
    except InvalidLayer:
        return
    assert all(".." not in entry.path.split("/") for entry in found)


@given(st.binary(max_size=2000))
def test_bytes_that_are_no_archive_are_refused_not_crashed_on(garbage: bytes) -> None:
    try:
        found = entries(garbage)
    except InvalidLayer:
        return
    assert found == []


@given(layers(), st.data())
def test_an_archive_that_is_cut_off_in_an_entry_is_refused(nodes: list[Node], data: st.DataObject) -> None:
    whole = tar_of([*nodes, file_node("zzz", b"x" * 700)])

    with pytest.raises(InvalidLayer, match="cut off"):
        entries(whole[: data.draw(st.integers(len(whole) - 1024 - 1023, len(whole) - 1025))])


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_all_flavours_of_tar_are_understood(kind: int) -> None:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=kind) as tar:
        long = tarfile.TarInfo("d" * 90 + "/" + "f" * 60)
        long.size = 3
        tar.addfile(long, io.BytesIO(b"abc"))

    assert contents(sink.getvalue()) == {"d" * 90 + "/" + "f" * 60: b"abc"}


def test_gnu_long_names_and_links_reach_the_entry() -> None:
    found = entries(archive(member("n" * 300, tarfile.SYMTYPE, link="t" * 400)))

    assert [(entry.path, entry.link) for entry in found] == [("n" * 300, "t" * 400)]


def test_links_have_the_mode_that_linux_gives_them() -> None:
    (entry,) = entries(archive(member("l", tarfile.SYMTYPE, link="t")))

    assert entry.mode == 0o777


def test_pax_records_override_the_header() -> None:
    capability = {"SCHILY.xattr.security.capability": "abc", "mtime": "12.5", "uid": "3000000"}

    (entry,) = entries(pax(capability))

    assert entry.xattrs == (("security.capability", b"abc"),)
    assert (entry.mtime_ns, entry.uid) == (12_500_000_000, 3_000_000)


def test_base_256_numbers_are_read() -> None:
    (entry,) = entries(with_field(136, b"\xff" * 12))

    assert entry.mtime_ns == -1_000_000_000


def test_global_pax_headers_are_ignored() -> None:
    sink = io.BytesIO()
    with tarfile.open(
        fileobj=sink, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"path": "other", "uid": "7"}
    ) as tar:
        tar.addfile(tarfile.TarInfo("f"))

    (entry,) = entries(sink.getvalue())

    assert (entry.path, entry.uid) == ("f", 0)


def test_checksums_of_signed_bytes_are_accepted() -> None:
    block = bytearray(tarfile.TarInfo("caf\u00e9").tobuf(tarfile.USTAR_FORMAT, "latin-1"))
    signed = sum(block[:148]) + sum(block[156:]) + 256 - 256
    block[148:156] = b"%06o\0 " % signed

    assert len(entries(bytes(block) + bytes(1024))) == 1


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("./a//b/", "a/b"),
        ("/etc/passwd", "etc/passwd"),
        ("a/./b", "a/b"),
        ("a/../b", "b"),
        ("...", "..."),
        ("a/..b", "a/..b"),
    ],
)
def test_names_are_cleaned_below_the_root(name: str, path: str) -> None:
    assert [entry.path for entry in entries(archive(member(name)))] == [path]


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/../x", "..", "a/b/../../.."])
def test_a_name_that_leaves_the_root_is_refused(name: str) -> None:
    with pytest.raises(InvalidLayer, match="leads out"):
        entries(archive(member(name)))


def test_a_hard_link_to_outside_the_root_is_refused() -> None:
    with pytest.raises(InvalidLayer, match="leads out"):
        entries(archive(member("x", tarfile.LNKTYPE, link="../../etc/passwd")))


def test_the_root_directory_is_left_out_of_layers() -> None:
    assert entries(archive(member("./", tarfile.DIRTYPE))) == []


def test_a_root_that_is_no_directory_is_refused() -> None:
    with pytest.raises(InvalidLayer, match="root is a symlink"):
        entries(archive(member("./", tarfile.SYMTYPE, link="/etc")))


def test_whiteout_names_become_whiteouts_of_their_target() -> None:
    found = entries(archive(member("a/.wh.b"), member("a/.wh..wh..opq"), member(".wh.c")))

    assert found == [Entry("a/b", "whiteout"), Entry("a", "whiteout", opaque=True), Entry("c", "whiteout")]


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "a/.wh...", "a/.wh..wh.x"])
def test_whiteouts_without_a_proper_name_are_refused(name: str) -> None:
    with pytest.raises(InvalidLayer, match="invalid whiteout name"):
        entries(archive(member(name)))


def test_metadata_of_aufs_is_skipped() -> None:
    found = entries(archive(member(".wh..wh.aufs"), member(".wh..wh.plnk/1.2"), member("kept")))

    assert [entry.path for entry in found] == ["kept"]


def test_the_device_that_overlayfs_takes_for_a_whiteout_is_one() -> None:
    assert entries(archive(member("gone", tarfile.CHRTYPE))) == [Entry("gone", "whiteout")]


def test_outside_of_layers_whiteout_names_are_plain_files() -> None:
    assert list(contents(archive(member(".wh.b", content=b"x")))) == [".wh.b"]


def test_content_that_nobody_reads_is_skipped() -> None:
    found = entries(archive(member("a", content=b"x" * 5000), member("b", content=b"y")))

    assert [entry.path for entry in found] == ["a", "b"]


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        (with_field(156, b"S"), "sparse"),
        (with_field(156, b"Z"), "unknown type 'Z'"),
        (with_field(124, b"-0000000001\0"), "not a number"),
        (with_field(124, b"0_0000000001"), "not a number"),
        (with_field(124, b"\xff" * 12), "owner or a size"),
        (with_field(124, b"\x80" + b"\xff" * 11), "out of range"),
        (with_field(108, b"\x80\0\0\0\xff\xff\xff\xff"), "owner or a size"),
        (with_field(136, b"\x80\0\0\0\x7f" + b"\xff" * 7), "out of range"),
        (
            with_field(329, b"7777777\0", header=with_field(156, b"3")[:512]),
            "device",
        ),
        (with_field(156, b"2"), "no target"),
        (with_field(0, bytes(100)), "not a name"),
        (with_field(124, b"77777777777\0", header=with_field(156, b"x")[:512]), "extension header"),
        (with_field(124, b"77777777777\0", header=with_field(156, b"L")[:512]), "extension header"),
        (tarfile.TarInfo("f").tobuf()[:-2] + b"xx" + bytes(1024), "checksum"),
        (bytes(512) + b"x" * 512, "behind an empty header"),
        (pax({"path": "a\0b"}), "not a name"),
        (pax({"path": "a" * 5000}), "not a name"),
        (pax({"uid": "-1"}), "not a number"),
        (pax({"mtime": "1e3"}), "not a number"),
        (pax({"GNU.sparse.major": "1"}), "sparse"),
        (pax({"x": "y"})[:1024] + bytes(1024), "before the entry"),
    ],
)
def test_a_damaged_header_is_refused_with_its_reason(damaged: bytes, message: str) -> None:
    with pytest.raises(InvalidLayer, match=message):
        entries(damaged)


@pytest.mark.parametrize("body", [b"x", b"5 a=", b"99 a=b\n", b"6 ab\n\n", b"6 a=bc", b"0 a=b\n", b"5 =b\n"])
def test_a_damaged_pax_record_is_refused(body: bytes) -> None:
    header = with_field(124, b"%011o\0" % len(body), header=with_field(156, b"x")[:512])[:512]

    with pytest.raises(InvalidLayer, match="PAX header"):
        entries(header + body.ljust(512, b"\0") + tarfile.TarInfo("f").tobuf())
