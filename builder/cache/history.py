"""Builds that were made on a state root, as far as the next one wants to compare itself with them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec

from builder.oci.digest import Digest, decode_hook, encode_json
from builder.store.database import Schema
from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from builder.store.database import Database

State: TypeAlias = Literal["cached", "executed", "failed", "unreached"]

SCHEMA: Final = Schema(
    "builds",
    (
        """CREATE TABLE builds (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            source TEXT NOT NULL,
            platforms TEXT NOT NULL,
            finished_at REAL NOT NULL,
            steps BLOB NOT NULL,
            keys TEXT NOT NULL
        )""",
        "CREATE INDEX builds_by_source ON builds (source)",
    ),
)
KEPT: Final = 50
"""Builds of one source that are remembered, at most."""


_NEAR: Final = 20


class BuildNotFound(DockyardError):
    """No build has the number that was asked for."""


class BuiltStep(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of a build.

    `line` in the Dockerfile counts from 1, 0 when it has none. `inputs` are positions among the steps of the build.
    `key` None: it was not found out. `ignored_cache`: the caller wanted it done again.
    """

    name: str
    stage: str = ""
    line: int = 0
    key: Digest | None = None
    inputs: tuple[int, ...] = ()
    state: State = "cached"
    is_image: bool = False
    ignored_cache: bool = False


class BuildRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One build: `source` says of what, `finished_at` in seconds since the epoch; steps come inputs first."""

    id: int
    source: str
    platforms: str
    finished_at: float
    steps: tuple[BuiltStep, ...]


class History:
    """The builds of a state root, oldest first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, *, source: str, platforms: str, steps: tuple[BuiltStep, ...]) -> int:
        """Remembers a build and returns its number.

        When one after the other finds everything in the cache, only the first says something new; the others take
        its place.
        """
        idle = all(step.state == "cached" for step in steps)
        keys = Digest.of(encode_json([idle, [(step.name, step.key) for step in steps]]))
        with self._database.write() as cursor:
            last = cursor.execute(
                "SELECT id, keys FROM builds WHERE source = ? ORDER BY id DESC LIMIT 1", (source,)
            ).fetchone()
            if idle and last is not None and last[1] == keys:
                cursor.execute("UPDATE builds SET finished_at = ? WHERE id = ?", (time.time(), last[0]))
                return int(last[0])
            cursor.execute(
                "INSERT INTO builds (source, platforms, finished_at, steps, keys) VALUES (?, ?, ?, ?, ?)",
                (source, platforms, time.time(), encode_json(steps), keys),
            )
            number = cursor.lastrowid
            cursor.execute(
                "DELETE FROM builds WHERE source = ? AND id NOT IN "
                "(SELECT id FROM builds WHERE source = ? ORDER BY id DESC LIMIT ?)",
                (source, source, KEPT),
            )
        return number or 0

    def find(self, number: int | None = None) -> BuildRecord:
        """The build with that number; None is the last one. Raises: BuildNotFound."""
        if number is None:
            rows = self._database.read("SELECT * FROM builds ORDER BY id DESC LIMIT 1")
        else:
            rows = self._database.read("SELECT * FROM builds WHERE id = ?", (number,))
        if not rows:
            which = "no build was made here yet" if number is None else f"there is no build {number}"
            raise BuildNotFound(which, hint="`dockyard why --list` shows the builds that are remembered")
        return _record(rows[0])

    def before(self, build: BuildRecord) -> BuildRecord | None:
        """The build to compare `build` with.

        Of those that came earlier, of the same source if there are any, it is the one that shares most with
        `build`, and of several such the last.
        """
        for condition, parameters in (("source = ? AND", (build.source,)), ("", ())):
            rows = self._database.read(
                f"SELECT * FROM builds WHERE {condition} id < ? ORDER BY id DESC LIMIT {_NEAR}",
                (*parameters, build.id),
            )
            if rows:
                return max(map(_record, rows), key=lambda each: _shared(build, each))
        return None

    def all(self) -> tuple[BuildRecord, ...]:
        """All builds, oldest first."""
        return tuple(_record(row) for row in self._database.read("SELECT * FROM builds ORDER BY id"))


def _shared(build: BuildRecord, earlier: BuildRecord) -> int:
    keys = {step.key for step in earlier.steps}
    texts = {step.name.partition("] ")[2] for step in earlier.steps}
    return sum((step.key in keys) + (step.name.partition("] ")[2] in texts) for step in build.steps)


def _record(row: tuple[Any, ...]) -> BuildRecord:
    number, source, platforms, finished_at, steps, _ = row
    return BuildRecord(
        id=number,
        source=source,
        platforms=platforms,
        finished_at=finished_at,
        steps=msgspec.json.decode(steps, type=tuple[BuiltStep, ...], dec_hook=decode_hook),
    )
