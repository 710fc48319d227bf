"""What a build with a known result does not need: files and layers of what it was made from."""

from __future__ import annotations

import os
import shutil
import sqlite3
from typing import TYPE_CHECKING

import pytest
from servers import Handler

if TYPE_CHECKING:
    from pathlib import Path

    from building import Project

pytestmark = pytest.mark.root
DEEP = """\
FROM busybox AS one
COPY src /src
RUN cat /src/* > /1
FROM busybox AS two
COPY --from=one /1 /1
RUN --mount=from=one,target=/one cat /one/1 /1 > /2
FROM busybox AS three
COPY --from=two /2 /2
RUN cat /2 /2 > /3
FROM scratch
COPY --from=three /3 /
COPY docs /docs
"""


@pytest.fixture
def sources(project: Project) -> Project:
    project.write("src/a", "a")
    project.write("docs/index", "index")
    return project


def lose(root: Path, *, records: bool) -> None:
    """Takes away all layers but those of the last step, and with `records` what is known of them."""
    with sqlite3.connect(root / "dockyard.db") as database:
        last = database.execute(
            "SELECT key, layers FROM cache_records WHERE description LIKE '%COPY docs /docs'"
        ).fetchone()
        if records:
            database.execute("DELETE FROM cache_records WHERE key <> ?", (last[0],))
    kept = set(last[1].strip("[]").replace(" ", "").split(","))
    for tree in os.listdir(root / "trees"):
        if tree not in kept:
            shutil.rmtree(root / "trees" / tree)
    shutil.rmtree(root / "indexes")


@pytest.mark.parametrize("records", [False, True], ids=["layers", "records"])
def test_a_known_result_of_many_stages_needs_nothing_that_it_was_made_from(
    sources: Project, *, records: bool
) -> None:
    sources.built(DEEP, "-t", "app")
    lose(sources.root, records=records)
    before = set(os.listdir(sources.root / "trees"))
    again = sources.built(DEEP, "-t", "app")
    assert again.executed == [], again.err
    assert set(os.listdir(sources.root / "trees")) == before
    assert not os.listdir(sources.root / "indexes")


def test_a_changed_last_step_needs_only_what_it_stands_on(sources: Project) -> None:
    sources.built(DEEP, "-t", "app")
    lose(sources.root, records=False)
    sources.write("docs/index", "changed")
    again = sources.built(DEEP, "-t", "app")
    assert [step.partition("] ")[2] for step in again.executed] == ["COPY docs /docs"]


def test_only_the_stages_of_a_filter_and_what_stands_on_them_run_again(sources: Project) -> None:
    sources.built(DEEP, "-t", "app")
    again = sources.built(DEEP, "--no-cache-filter", "two", "-t", "app")
    assert [step.partition("] ")[2] for step in again.executed] == [
        "COPY --from=one /1 /1",
        "RUN --mount=from=one,target=/one cat /one/1 /1 > /2",
    ]


def test_a_known_result_is_used_while_its_repository_says_the_same_commit(
    project: Project, address: str, repository: Path
) -> None:
    text = f"FROM scratch\nADD {address} /src\n"
    project.built(text, "-t", "app")
    for tree in os.listdir(project.root / "trees"):
        shutil.rmtree(project.root / "trees" / tree)
    assert project.built(text, "-t", "app").executed == []


def test_a_known_result_is_used_while_a_server_says_the_same_etag(project: Project, server: str) -> None:
    text = f"FROM scratch\nADD {server}/a/file.txt?x=1 /\n"
    project.built(text, "-t", "app")
    again = project.built(text, "-t", "app")
    assert (again.executed, len(Handler.asked)) == ([], 2)
