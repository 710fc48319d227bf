"""Digests of files are remembered as long as the kernel says that nothing changed."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from builder.oci.digest import Digest
from builder.snapshot.digests import SCHEMA, FileDigests
from builder.snapshot.disk import Directory, InlineContent, node_of
from builder.snapshot.entry import Entry, Node
from builder.snapshot.errors import ContentChanged
from builder.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "dockyard.db", (SCHEMA,))
    yield opened
    opened.close()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


def node_at(folder: Path, name: str) -> Node:
    directory = Directory(folder)
    node = node_of(directory, name, directory.lstat(name))
    assert node is not None
    return node


def settled(path: Path, content: bytes) -> None:
    """Writes a file and lets so much time pass that its next change cannot look the same."""
    path.write_bytes(content)
    while time.time_ns() - path.stat().st_ctime_ns < 150_000_000:
        time.sleep(0.01)


def rows(database: Database) -> int:
    return int(database.read("SELECT COUNT(*) FROM file_digests")[0][0])


def test_the_digest_of_a_file_is_that_of_its_content(database: Database, files: Path) -> None:
    (files / "f").write_bytes(b"x")
    assert FileDigests(database).of(node_at(files, "f")) == Digest.of(b"x")


def test_a_settled_file_is_remembered_for_the_next_process(database: Database, files: Path) -> None:
    settled(files / "f", b"x")
    first = FileDigests(database)
    first.of(node_at(files, "f"))
    first.save()
    node = node_at(files, "f")
    later = FileDigests(database)
    later.learn([node])
    (files / "f").unlink()
    assert later.of(node) == Digest.of(b"x")


def test_a_file_that_changed_a_moment_ago_is_not_remembered(database: Database, files: Path) -> None:
    (files / "f").write_bytes(b"x")
    digests = FileDigests(database)
    digests.of(node_at(files, "f"))
    digests.save()
    assert rows(database) == 0


def test_a_changed_file_has_a_new_digest_though_size_and_mtime_are_the_same(
    database: Database, files: Path
) -> None:
    settled(files / "f", b"x")
    digests = FileDigests(database)
    digests.of(node_at(files, "f"))
    status = (files / "f").stat()
    (files / "f").write_bytes(b"y")
    os.utime(files / "f", ns=(status.st_atime_ns, status.st_mtime_ns))
    digests.learn([node_at(files, "f")])
    assert digests.of(node_at(files, "f")) == Digest.of(b"y")


def test_many_files_are_learnt_together(database: Database, files: Path) -> None:
    for number in range(1200):
        (files / str(number)).write_bytes(str(number).encode())
    nodes = [node_at(files, str(number)) for number in range(1200)]
    digests = FileDigests(database)
    digests.learn(nodes)
    assert [digests.of(node) for node in nodes] == [Digest.of(str(n).encode()) for n in range(1200)]


def test_a_file_that_cannot_be_read_is_an_error_of_whoever_needs_it(database: Database, files: Path) -> None:
    (files / "f").write_bytes(b"x")
    node = node_at(files, "f")
    (files / "f").write_bytes(b"longer")
    digests = FileDigests(database)
    digests.learn([node])
    with pytest.raises(ContentChanged):
        digests.of(node)


def test_content_without_an_inode_is_read_and_not_remembered(database: Database) -> None:
    digests = FileDigests(database)
    node = Node(Entry("f", "file", size=1), InlineContent(b"x"))
    digests.learn([node])
    assert digests.of(node) == Digest.of(b"x")
    digests.save()
    assert rows(database) == 0


DAY = 24 * 3600


def remember(database: Database, node: Node, *, day: int) -> None:
    """A build of that day, which asks for the digest of `node`."""
    digests = FileDigests(database, clock=lambda: day * DAY)
    digests.learn([node])
    digests.of(node)
    digests.save()


def test_what_nobody_asked_for_in_a_month_is_forgotten_by_who_writes_next(
    database: Database, files: Path
) -> None:
    settled(files / "old", b"x")
    settled(files / "new", b"y")
    remember(database, node_at(files, "old"), day=1)
    remember(database, node_at(files, "new"), day=32)
    assert database.read("SELECT inode FROM file_digests") == [((files / "new").stat().st_ino,)]


def test_what_is_asked_for_now_and_then_stays(database: Database, files: Path) -> None:
    settled(files / "kept", b"x")
    settled(files / "new", b"y")
    for day in (1, 20, 40):
        remember(database, node_at(files, "kept"), day=day)
    remember(database, node_at(files, "new"), day=41)
    assert rows(database) == 2


def test_asking_again_within_a_week_writes_nothing(database: Database, files: Path) -> None:
    settled(files / "f", b"x")
    remember(database, node_at(files, "f"), day=1)
    remember(database, node_at(files, "f"), day=7)
    assert database.read("SELECT used_day FROM file_digests") == [(1,)]


def test_a_use_of_the_old_file_keeps_no_row_of_a_changed_one(database: Database, files: Path) -> None:
    settled(files / "f", b"x")
    remember(database, node_at(files, "f"), day=1)
    (files / "f").write_bytes(b"changed a moment ago, so not remembered")
    remember(database, node_at(files, "f"), day=10)
    assert database.read("SELECT used_day FROM file_digests") == [(1,)]


def test_of_too_many_files_those_of_the_latest_days_are_kept(database: Database, files: Path) -> None:
    for day in (1, 2, 3):
        for number in range(2):
            name = f"{day}-{number}"
            (files / name).write_bytes(b"x")
            time.sleep(0.11)
            remember(database, node_at(files, name), day=day)
    FileDigests(database, clock=lambda: 3 * DAY).sweep(most=3)
    assert database.read("SELECT DISTINCT used_day FROM file_digests ORDER BY 1") == [(2,), (3,)]


def test_a_sweep_takes_place_once_a_day(database: Database, files: Path) -> None:
    settled(files / "f", b"x")
    settled(files / "g", b"x")
    remember(database, node_at(files, "f"), day=100)
    with database.write() as cursor:
        cursor.execute("UPDATE file_digests SET used_day = 1")
    remember(database, node_at(files, "g"), day=100)
    assert rows(database) == 2
