"""Archives of cache mounts: what goes in comes out, and a hostile one changes nothing but its scratch."""

from __future__ import annotations

import io
import json
import os
import tarfile
import threading
from typing import TYPE_CHECKING

import pytest

from builder.cache.mountarchive import MountArchiveError, archive_nodes, unpack_mounts
from builder.cache.mounts import CacheMounts
from builder.cache.mounttable import SCHEMA, MountRow, MountTable
from builder.snapshot.errors import ArchiveTooLarge
from builder.snapshot.limits import DEFAULT_LIMITS, UnpackLimits
from builder.snapshot.streams import LayerReader, open_layer
from builder.snapshot.tarwriter import write_tar
from builder.store.database import Database
from builder.system.locks import KeyLocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from builder.cache.mountarchive import Unpacked

NAME = "a" * 64
ROW = MountRow(name=NAME, id="pip", platform="linux/arm64", created_at=5, used_at=10)
LISTED = {"name": NAME, "id": "pip", "created_at": 5, "used_at": 10, "mode": 0o750, "uid": 0, "gid": 0}


def reader(archive: bytes) -> LayerReader:
    return open_layer(io.BytesIO(archive), "uncompressed")


def unpacked(archive: bytes, tmp_path: Path, limits: UnpackLimits = DEFAULT_LIMITS) -> tuple[Unpacked, ...]:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return unpack_mounts(reader(archive), scratch, limits)


def hostile(*members: tuple[str, bytes, str], mounts: object = (LISTED,), **changed: object) -> bytes:
    """An archive with a manifest of `mounts` and members given as name, type and link target."""
    sink = io.BytesIO()
    document = {"format": "dockyard.cache-mounts", "version": 1, "mounts": mounts, **changed}
    content = json.dumps(document).encode()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        info = tarfile.TarInfo("manifest.json")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
        for name, kind, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode = kind, link, 0o644
            archive.addfile(info)
    return sink.getvalue()


@pytest.fixture
def table(tmp_path: Path) -> Iterator[MountTable]:
    database = Database(tmp_path / "dockyard.db", (SCHEMA,))
    yield MountTable(database)
    database.close()


@pytest.fixture
def caches(tmp_path: Path, table: MountTable) -> CacheMounts:
    return CacheMounts(tmp_path / "caches", table, KeyLocks(tmp_path / "locks"), threading.Event())


def fresh(tmp_path: Path, word: str) -> Path:
    path = tmp_path / f"new-{word}"
    path.mkdir()
    (path / "word").write_text(word)
    return path


@pytest.mark.root
def test_files_links_modes_owners_and_times_come_back(tmp_path: Path) -> None:
    mount = tmp_path / "mount"
    (mount / "d").mkdir(parents=True)
    mount.chmod(0o1770)
    (mount / "d/file").write_text("content")
    os.chown(mount / "d/file", 12, 34)
    (mount / "d/file").chmod(0o4711)
    os.utime(mount / "d/file", (77, 77))
    (mount / "link").symlink_to("/etc/passwd")
    os.link(mount / "d/file", mount / "other")
    sink = io.BytesIO()

    write_tar(archive_nodes([(ROW, mount)]), sink)
    ((archived, path),) = unpacked(sink.getvalue(), tmp_path)

    status = (path / "other").stat()
    assert archived.row(100) == ROW
    assert (path.stat().st_mode & 0o7777, (path / "link").readlink().as_posix()) == (0o1770, "/etc/passwd")
    assert (status.st_mode & 0o7777, status.st_uid, status.st_gid, status.st_mtime) == (0o4711, 12, 34, 77)
    assert (path / "d/file").samefile(path / "other")
    assert (path / "d/file").read_text() == "content"


def test_a_name_that_no_archive_can_hold_is_an_error_that_names_the_mount(tmp_path: Path) -> None:
    (tmp_path / ".wh.x").touch()
    with pytest.raises(MountArchiveError, match=f"cache mount {'a' * 25}.*'.wh.x'"):
        list(archive_nodes([(ROW, tmp_path)]))


@pytest.mark.parametrize(
    "archive",
    [
        hostile((f"{NAME}/../../out", tarfile.REGTYPE, "")),
        hostile((f"{'b' * 64}/x", tarfile.REGTYPE, "")),
        hostile((f"{NAME}/x", tarfile.LNKTYPE, "manifest.json")),
        hostile((f"{NAME}/x", tarfile.LNKTYPE, f"{NAME}/../../secret")),
        hostile((f"{NAME}/x", tarfile.REGTYPE, ""), (f"{NAME}/y", tarfile.LNKTYPE, "x")),
        hostile((NAME, tarfile.SYMTYPE, "/etc")),
        hostile((f"{NAME}/x", tarfile.REGTYPE, ""), ("other", tarfile.REGTYPE, "")),
        hostile(mounts=({**LISTED, "name": "../../out"},)),
        hostile(mounts=({**LISTED, "name": f"{NAME}\n"},)),
        hostile(mounts=({**LISTED, "uid": -1},)),
        hostile(mounts=(LISTED, LISTED)),
        hostile(version=2),
        hostile(mounts=7),
        hostile()[: 512 + 100],
        b"no tar at all",
        b"",
    ],
)
def test_a_hostile_or_damaged_archive_is_refused_and_leaves_nothing_outside(
    archive: bytes, tmp_path: Path
) -> None:
    (tmp_path / "secret").touch()
    with pytest.raises(MountArchiveError, match="invalid archive of cache mounts"):
        unpacked(archive, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scratch", "secret"]


@pytest.mark.root
def test_nothing_is_written_through_a_link_of_the_archive(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    link = (f"{NAME}/l", tarfile.SYMTYPE, str(tmp_path / "outside"))

    unpacked(hostile(link, (f"{NAME}/l/file", tarfile.REGTYPE, "")), tmp_path)

    assert list((tmp_path / "outside").iterdir()) == []


def test_an_archive_beyond_the_limits_is_refused(tmp_path: Path) -> None:
    archive = hostile(*((f"{NAME}/{number}", tarfile.FIFOTYPE, "") for number in range(4)))
    with pytest.raises(ArchiveTooLarge):
        unpacked(archive, tmp_path, UnpackLimits(members=3))


def test_what_is_listed_of_a_mount_cannot_steer_a_terminal_or_come_from_the_future(tmp_path: Path) -> None:
    listed = {**LISTED, "description": "a\x1b[2Jb", "used_at": 1e12}
    ((mount, _),) = unpacked(hostile(mounts=(listed,)), tmp_path)
    row = mount.row(50)
    assert (row.description, row.used_at) == ("a [2Jb", 50)


@pytest.mark.parametrize(
    ("used_at", "force", "result"), [(10, False, "put"), (9, False, "newer"), (9, True, "put")]
)
def test_a_newer_mount_stays_unless_forced(
    caches: CacheMounts, tmp_path: Path, used_at: float, force: bool, result: str
) -> None:
    caches.put(ROW, fresh(tmp_path, "old"), force=False)
    again = MountRow(name=NAME, id="pip", created_at=5, used_at=used_at)

    assert caches.put(again, fresh(tmp_path, "new"), force=force) == result

    word = (tmp_path / "caches" / NAME / "word").read_text()
    assert word == ("new" if result == "put" else "old")
    assert [path.name for path in (tmp_path / "caches").iterdir()] == [NAME]


def test_a_mount_in_use_is_neither_held_nor_replaced(caches: CacheMounts, tmp_path: Path) -> None:
    caches.put(ROW, fresh(tmp_path, "old"), force=False)
    with caches.hold([NAME]) as held:
        assert held == {NAME: tmp_path / "caches" / NAME}
        with caches.hold([NAME]) as again:
            assert again == {}
        assert caches.put(ROW, fresh(tmp_path, "new"), force=True) == "in use"


def test_any_number_of_mounts_is_held_with_one_open_file(caches: CacheMounts, tmp_path: Path) -> None:
    names = [f"{number:064x}" for number in range(50)]
    for name in names:
        (tmp_path / "caches" / name).mkdir(parents=True)
    before = len(os.listdir("/proc/self/fd"))
    with caches.hold(names) as held:
        assert len(held) == 50
        assert len(os.listdir("/proc/self/fd")) == before + 1
