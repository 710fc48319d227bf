"""What builds leave behind for the question why something ran again, and the answer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from builder.api.workspace import SCHEMAS
from builder.cache.history import History
from builder.cache.parts import PartsTable
from builder.store.selection import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from builder.api.options import BuildOptions
    from builder.cache.history import BuildRecord, BuiltStep
    from builder.cache.why import Explanation
    from builder.platforms import Platform
    from builder.store.database import Database


class Memory:
    """Remembers one build. `number` is that of the build in the history, 0 until it has one."""

    def __init__(self, database: Database, options: BuildOptions, platforms: Sequence[Platform]) -> None:
        self._history = History(database)
        self._source = source_of(options)
        self._platforms = ",".join(map(str, platforms))
        self.number = 0

    def remember(self, steps: tuple[BuiltStep, ...]) -> None:
        """Keeps what became of the steps."""
        self.number = self._history.save(source=self._source, platforms=self._platforms, steps=steps)


def source_of(options: BuildOptions) -> str:
    """What a build is a build of: its context, Dockerfile and target, as one text to compare and to show."""
    context = options.context or "-"
    where = context if "://" in context or context == "-" else os.path.abspath(context)
    dockerfile = "" if options.dockerfile is None else f" -f {options.dockerfile}"
    target = f" --target {options.target}" if options.target else ""
    return f"{where}{dockerfile}{target}"


def explain_build(root: Path, number: int | None = None, *, earlier: int | None = None) -> Explanation:
    """Why the steps of build `number` ran (None: of the last build), compared with `earlier` or the one before it.

    Raises: BuildNotFound, StoreError.
    """
    # Loaded here because builds only write what this reads.
    from builder.cache.why import explain

    with open_store(root, schemas=SCHEMAS) as store:
        history = History(store.database)
        build = history.find(number)
        before = history.find(earlier) if earlier is not None else history.before(build)
        return explain(build, before, PartsTable(store.database))


def remembered_builds(root: Path) -> tuple[BuildRecord, ...]:
    """All builds that are remembered, oldest first. Raises: StoreError."""
    with open_store(root, schemas=SCHEMAS) as store:
        return History(store.database).all()
