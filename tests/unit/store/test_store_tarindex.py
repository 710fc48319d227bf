"""The index of a tar file: what Python's own tarfile writes is found, what is hostile is refused."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.store.errors import InvalidLayout
from builder.store.layout import tarindex
from builder.store.layout.tarindex import find_member, scan_tar

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=120).filter(
    lambda name: name not in (".", "..")
)


def make_tar(files: Mapping[str, bytes], *, form: int = tarfile.PAX_FORMAT) -> bytearray:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return bytearray(buffer.getvalue())


def one_member(**attributes: object) -> bytes:
    member = tarfile.TarInfo("name")
    for key, value in attributes.items():
        setattr(member, key, value)
    return member.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


def read(content: bytes) -> dict[str, bytes]:
    members = scan_tar(io.BytesIO(content))
    found = {name: find_member(members, name) for name in members}
    return {
        name: bytes(content[each.offset : each.offset + each.size]) for name, each in found.items() if each
    }


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT], ids=["pax", "gnu"])
@given(files=st.dictionaries(NAMES, st.binary(max_size=2000), max_size=5))
def test_every_file_is_found_with_its_bytes(form: int, files: dict[str, bytes]) -> None:
    assert read(make_tar(files, form=form)) == files


def test_long_paths_are_found_in_every_format() -> None:
    files = {"d" * 90 + "/" + "f" * 60: b"content"}
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        assert read(make_tar(files, form=form)) == files


def test_a_leading_dot_or_slash_does_not_matter() -> None:
    assert read(make_tar({"./a": b"1", "/b": b"2", "c//d": b"3"})) == {"a": b"1", "b": b"2", "c/d": b"3"}


def test_links_lead_to_the_file_that_they_name() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        target = tarfile.TarInfo("one/layer.tar")
        target.size = 5
        archive.addfile(target, io.BytesIO(b"layer"))
        for name, kind, link in (
            ("two/layer.tar", tarfile.SYMTYPE, "../one/layer.tar"),
            ("three/layer.tar", tarfile.LNKTYPE, "one/layer.tar"),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, link
            archive.addfile(member)
    assert read(buffer.getvalue())["two/layer.tar"] == b"layer"
    assert read(buffer.getvalue())["three/layer.tar"] == b"layer"


def test_a_link_to_itself_leads_nowhere() -> None:
    members = scan_tar(io.BytesIO(one_member(type=tarfile.SYMTYPE, linkname="name")))
    assert find_member(members, "name") is None


@pytest.mark.parametrize("name", ["../out", "a/../../out", ".."])
def test_a_member_outside_the_root_is_refused(name: str) -> None:
    with pytest.raises(InvalidLayout, match="outside its root"):
        scan_tar(io.BytesIO(make_tar({name: b""})))


def test_a_link_outside_the_root_is_refused() -> None:
    with pytest.raises(InvalidLayout, match="outside its root"):
        scan_tar(io.BytesIO(one_member(type=tarfile.SYMTYPE, linkname="../../etc/passwd")))


def test_a_member_that_is_cut_off_is_refused() -> None:
    content = make_tar({"file": b"x" * 5000})
    with pytest.raises(InvalidLayout, match="ends in the middle of a member"):
        scan_tar(io.BytesIO(content[:2000]))


def test_a_header_that_is_cut_off_is_refused() -> None:
    with pytest.raises(InvalidLayout, match="in the middle of a header"):
        scan_tar(io.BytesIO(make_tar({"file": b""})[:100]))


def test_a_wrong_checksum_is_refused() -> None:
    content = make_tar({"file": b""})
    content[0] ^= 1
    with pytest.raises(InvalidLayout, match="its checksum is wrong"):
        scan_tar(io.BytesIO(content))


def test_a_huge_extended_header_is_not_read() -> None:
    with pytest.raises(InvalidLayout, match="is larger than"):
        scan_tar(io.BytesIO(one_member(type=b"x", size=1 << 40)))


@pytest.mark.parametrize(
    "record", [b"", b"9 path", b"0 path=x\n", b"99999 path=x\n", b"x path=y\n", b"12 size=-100\n"]
)
def test_malformed_pax_records_are_refused(record: bytes) -> None:
    header = one_member(type=b"x", size=len(record))[:512]
    content = header + record + bytes(-len(record) % 512) + one_member()
    if record:
        with pytest.raises(InvalidLayout):
            scan_tar(io.BytesIO(content))
    else:
        assert set(scan_tar(io.BytesIO(content))) == {"name"}


def test_an_archive_of_too_many_members_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tarindex, "MAX_MEMBERS", 2)
    with pytest.raises(InvalidLayout, match="more than 2 members"):
        scan_tar(io.BytesIO(make_tar({"a": b"", "b": b"", "c": b""})))


def test_a_sparse_member_is_refused() -> None:
    record = b"22 GNU.sparse.major=1\n"
    header = one_member(type=b"x", size=len(record))[:512]
    with pytest.raises(InvalidLayout, match="sparse"):
        scan_tar(io.BytesIO(header + record + bytes(512 - len(record)) + one_member()))


@given(st.binary(max_size=3000))
def test_any_bytes_end_in_an_index_or_a_clear_error(content: bytes) -> None:
    try:
        scan_tar(io.BytesIO(content))
    except InvalidLayout as error:
        assert error.message


@given(position=st.integers(0, 4095), value=st.integers(0, 255))
def test_any_changed_byte_ends_in_an_index_or_a_clear_error(position: int, value: int) -> None:
    content = make_tar({"a/" + "b" * 150: b"content", "c": b"x" * 600})
    content[position % len(content)] = value
    try:
        scan_tar(io.BytesIO(content))
    except InvalidLayout as error:
        assert error.message
