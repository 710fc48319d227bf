"""How fast a context is looked through: ignore patterns, the walk, and the digests of its files.

Run: `pytest tests/bench/bench_context.py -o python_functions='bench_*'`. The 20,000 files are in the page cache.
Compare figures of one run only.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from builder.graph.patterns import IgnorePatterns
from builder.snapshot.context import ContextView
from builder.snapshot.digests import SCHEMA, FileDigests
from builder.snapshot.disk import Directory
from builder.snapshot.selection import select_path
from builder.store.database import Database
from frontend.dockerfile.ignorefile import read_ignore_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

    from builder.oci.digest import Digest
    from builder.snapshot.entry import Node

IGNORE_FILE = b"""# What a project of Python and JavaScript leaves out.
.git
**/__pycache__
**/*.py[cod]
**/.DS_Store
**/node_modules
.venv
build/
dist/*.whl
docs/**/_build
*.log
package1?/*_test.py
package2*/module*7.py
package3/**
!package3/module1003.py
**/.env*
!**/.env.example
"""


@pytest.fixture(scope="module")
def patterns() -> tuple[str, ...]:
    return tuple(read_ignore_file(IGNORE_FILE))


@pytest.fixture
def opened(project: Path) -> Iterator[Directory]:
    with Directory(project) as directory:
        yield directory


def listed(directory: Directory, exclude: tuple[str, ...] = ()) -> tuple[Node, ...]:
    return select_path(ContextView(directory, exclude), "").members


def bench_ignore_patterns_on_20000_paths(
    benchmark: BenchmarkFixture, project: Path, patterns: tuple[str, ...]
) -> None:
    paths = [str(path.relative_to(project)) for path in sorted(project.rglob("*"))]
    ignored = IgnorePatterns(patterns)

    excluded = benchmark(lambda: sum(map(ignored.excludes_path, paths)))

    assert 0 < excluded < len(paths)


def bench_walk(benchmark: BenchmarkFixture, opened: Directory) -> None:
    assert len(benchmark(listed, opened)) == 20_200


def bench_walk_with_ignore_patterns(
    benchmark: BenchmarkFixture, opened: Directory, patterns: tuple[str, ...]
) -> None:
    assert 0 < len(benchmark(listed, opened, patterns)) < 20_200


def bench_digests_of_new_files(benchmark: BenchmarkFixture, opened: Directory, tmp_path: Path) -> None:
    files = [node for node in listed(opened) if node.entry.kind == "file"]
    numbers = count()

    def learn() -> None:
        with_none_known = Database(tmp_path / f"{next(numbers)}.db", (SCHEMA,))
        digests = FileDigests(with_none_known)
        digests.learn(files)
        digests.save()
        with_none_known.close()

    benchmark.pedantic(learn, rounds=3)


def bench_digests_of_known_files(benchmark: BenchmarkFixture, opened: Directory, tmp_path: Path) -> None:
    files = [node for node in listed(opened) if node.entry.kind == "file"]
    database = Database(tmp_path / "dockyard.db", (SCHEMA,))
    earlier = FileDigests(database)
    earlier.learn(files)
    earlier.save()

    def learn() -> list[Digest]:
        digests = FileDigests(database)
        digests.learn(files)
        return [digests.of(node) for node in files]

    assert len(benchmark(learn)) == 20_000
    database.close()
