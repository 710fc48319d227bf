"""The database: transactions, tables of several rooms, other versions, damage."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from builder.store.database import Database, Schema
from builder.store.errors import DamagedDatabase, NewerState, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONE = Schema("room", ("CREATE TABLE things (name TEXT)",))
TWO = Schema("room", (*ONE.statements, "ALTER TABLE things ADD COLUMN size INTEGER"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dockyard.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = Database(path, (ONE,))
    yield opened
    opened.close()


def add(database: Database, name: str) -> None:
    with database.write() as cursor:
        cursor.execute("INSERT INTO things (name) VALUES (?)", (name,))


def names(database: Database) -> list[str]:
    return [name for (name,) in database.read("SELECT name FROM things ORDER BY name")]


def test_what_was_written_is_there_after_reopening(path: Path) -> None:
    first = Database(path, (ONE,))
    add(first, "kept")
    first.close()
    second = Database(path, (ONE,))
    assert names(second) == ["kept"]
    second.close()


def test_a_block_that_raises_changes_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as cursor:
        cursor.execute("INSERT INTO things VALUES ('lost')")
        raise RuntimeError
    assert names(database) == []


def test_a_transaction_inside_another_is_a_part_of_it(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write():
        add(database, "inner")
        assert names(database) == ["inner"]
        raise RuntimeError
    assert names(database) == []


def test_other_threads_do_not_see_an_open_transaction(database: Database) -> None:
    with ThreadPoolExecutor(1) as pool, database.write() as cursor:
        cursor.execute("INSERT INTO things VALUES ('new')")
        assert pool.submit(names, database).result() == []


def test_what_was_deleted_is_given_back_to_the_disk(database: Database) -> None:
    with database.write() as cursor:
        cursor.executemany("INSERT INTO things VALUES (?)", [("x" * 1000,)] * 5000)
    with database.write() as cursor:
        cursor.execute("DELETE FROM things")
    full = database.disk_usage()
    database.compact()
    assert database.disk_usage() < full / 20


def test_compacting_keeps_what_is_there_while_others_write(path: Path, database: Database) -> None:
    with database.write() as cursor:
        cursor.executemany("INSERT INTO things VALUES (?)", [("x" * 1000,)] * 5000)
        cursor.execute("DELETE FROM things")
    other = Database(path, (ONE,))
    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(add, other, str(n)) for n in range(40)]
        compacting = [pool.submit(database.compact) for _ in range(4)]
        for each in (*writing, *compacting):
            each.result()
    other.close()
    assert len(names(database)) == 40


def test_threads_that_write_at_once_all_succeed(database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: add(database, str(n)), range(40)))
    assert len(names(database)) == 40


def test_processes_that_make_the_file_at_once_all_succeed(path: Path) -> None:
    barrier = threading.Barrier(6)

    def start(number: int) -> None:
        barrier.wait()
        own = Database(path, (ONE,))
        add(own, str(number))
        own.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(start, range(6)))
    reopened = Database(path, (ONE,))
    assert len(names(reopened)) == 6
    reopened.close()


def test_statements_added_to_a_schema_are_run_on_old_tables(path: Path) -> None:
    old = Database(path, (ONE,))
    add(old, "old")
    old.close()
    new = Database(path, (TWO,))
    assert new.read("SELECT name, size FROM things") == [("old", None)]
    new.close()


def test_a_room_can_add_its_tables_later(database: Database) -> None:
    database.add(Schema("other", ("CREATE TABLE others (name TEXT)",)))
    assert database.read("SELECT * FROM others") == []


def test_tables_of_a_newer_version_are_refused(path: Path) -> None:
    Database(path, (TWO,)).close()
    with pytest.raises(NewerState, match="was written by a newer dockyard"):
        Database(path, (ONE,))


def test_a_file_of_a_newer_format_is_refused(path: Path) -> None:
    Database(path, (ONE,)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(NewerState, match="use that version, or another --root"):
        Database(path, (ONE,))


def test_a_file_that_is_no_database_is_called_damaged(path: Path) -> None:
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(DamagedDatabase, match="is damaged: file is not a database"):
        Database(path, (ONE,))


def test_a_directory_in_its_place_is_an_error_with_the_path(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreError, match="unable to open database file"):
        Database(path, (ONE,))


def test_a_sound_file_has_no_problems(database: Database) -> None:
    assert database.problems() == []


def test_a_broken_page_is_a_problem(path: Path) -> None:
    first = Database(path, (ONE,))
    for number in range(500):
        add(first, f"{number}" * 20)
    first.close()
    content = bytearray(path.read_bytes())
    content[8192:16384] = b"\xff" * 8192
    path.write_bytes(content)
    again = Database(path, (ONE,))
    assert again.problems()
    again.close()
