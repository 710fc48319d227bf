"""The database of a state root: one SQLite file that any number of processes and threads share.

Rooms bring their own tables as a `Schema`; nobody else reads them. Writers take turns from their first
statement on, so a transaction never fails because somebody else wrote meanwhile. A transaction that was
committed survives a killed process; one that was not has never happened.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec

from builder.store.errors import DamagedDatabase, NewerState, StoreError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FORMAT: Final = 1
"""Version of the whole file (`PRAGMA user_version`); tables have their own in `schemas`."""

_BUSY_SECONDS: Final = 60
_FEW_PAGES: Final = 256
"""So many free pages, 1 MiB, are not worth writing the file anew."""
_SCHEMAS: Final = "CREATE TABLE schemas (name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID"


class Schema(msgspec.Struct, frozen=True):
    """The tables of one room, as the statements that made them.

    A statement that was released is never changed; a migration is one more at the end. The version of the
    tables is the number of statements that have been run.
    """

    name: str
    statements: tuple[str, ...]


class Database:
    """Connections to one database file. Safe to share between threads; not across a fork."""

    def __init__(self, path: Path, schemas: Sequence[Schema] = ()) -> None:
        """Opens or makes the file and brings the tables of `schemas` up to date.

        Raises: DamagedDatabase, NewerState, StoreError.
        """
        self._path = path
        self._idle: list[sqlite3.Connection] = []
        self._local = threading.local()
        # SQLite lets waiting writers sleep and poll; threads of this process need not.
        self._writing = threading.Lock()
        self._closed = False
        self.add(*schemas)

    def add(self, *schemas: Schema) -> None:
        """Brings the tables of more rooms up to date.

        Raises: DamagedDatabase, NewerState, StoreError.
        """
        with self._connection() as connection:
            if _outdated(connection, schemas, self._path):
                # Only one process may make the file, or switch it to a write-ahead log, at a time.
                with _exclusive(self._path.with_name(f"{self._path.name}.lock")):
                    _migrate(connection, schemas, self._path)

    def read(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query; inside `write()` of the same thread, with what it has changed so far."""
        cursor: sqlite3.Cursor | None = getattr(self._local, "cursor", None)
        with self._translated():
            if cursor is not None:
                return cursor.connection.execute(statement, parameters).fetchall()
            with self._connection() as connection:
                return connection.execute(statement, parameters).fetchall()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Cursor]:
        """A transaction: all of it happens, or, if the block raises, nothing.

        Inside another one of the same thread it is a part of that one.
        """
        outer: sqlite3.Cursor | None = getattr(self._local, "cursor", None)
        if outer is not None:
            yield outer
            return
        with self._translated(), self._writing, self._connection() as connection:
            cursor = connection.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            self._local.cursor = cursor
            try:
                yield cursor
                cursor.execute("COMMIT")
            finally:
                self._local.cursor = None
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def problems(self) -> list[str]:
        """What SQLite finds wrong with the file; nothing when it is sound."""
        try:
            rows = self.read("PRAGMA quick_check")
        except DamagedDatabase as error:
            return [error.message]
        return [f"database {self._path.name}: {text}" for (text,) in rows if text != "ok"]

    def disk_usage(self) -> int:
        """Bytes that the file and its log take."""
        total = 0
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                total += os.stat(f"{self._path}{suffix}").st_blocks * 512
        return total

    def compact(self) -> None:
        """Gives what is free of the file, if it is much, and the log back to the disk; not inside `write()`.

        Raises: StoreError, for example when others keep the database busy.
        """
        with self._translated(), self._writing, self._connection() as connection:
            pages, free = (
                int(connection.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("page_count", "freelist_count")
            )
            if free > max(pages // 4, _FEW_PAGES):
                connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Closes the connections that nobody uses at the moment; others close when they come back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self._translated():
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = _connect(self._path)
            try:
                yield connection
            finally:
                if self._closed or connection.in_transaction:
                    connection.close()
                else:
                    self._idle.append(connection)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        import sqlite3

        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise
        except sqlite3.OperationalError as error:
            raise StoreError(f"state database {self._path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise DamagedDatabase(
                f"state database {self._path} is damaged: {error}",
                hint="`dockyard store gc --repair` moves it aside and makes a new one from what is there",
            ) from error


def _connect(path: Path) -> sqlite3.Connection:
    import sqlite3

    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


def _outdated(connection: sqlite3.Connection, schemas: Sequence[Schema], path: Path) -> bool:
    written = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if written > FORMAT:
        raise _newer(path)
    if written < FORMAT:
        return True
    versions = dict(connection.execute("SELECT name, version FROM schemas"))
    for schema in schemas:
        if versions.get(schema.name, 0) > len(schema.statements):
            raise _newer(path)
    return any(versions.get(schema.name, 0) < len(schema.statements) for schema in schemas)


def _migrate(connection: sqlite3.Connection, schemas: Sequence[Schema], path: Path) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            connection.execute(_SCHEMAS)
            connection.execute(f"PRAGMA user_version={FORMAT}")
        # Asked again: another process may have been faster.
        if _outdated(connection, schemas, path):
            for schema in schemas:
                _bring_up(connection, schema)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _bring_up(connection: sqlite3.Connection, schema: Schema) -> None:
    found = connection.execute("SELECT version FROM schemas WHERE name = ?", (schema.name,)).fetchone()
    for statement in schema.statements[found[0] if found else 0 :]:
        connection.execute(statement)
    connection.execute("INSERT OR REPLACE INTO schemas VALUES (?, ?)", (schema.name, len(schema.statements)))


def _newer(path: Path) -> NewerState:
    return NewerState(
        f"state database {path} was written by a newer dockyard",
        hint="use that version, or another --root",
    )


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    import fcntl

    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
