"""A state root stays within its limit, and is collected by policy after builds."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

import pytest

from builder.oci.digest import Digest
from builder.snapshot.treesizes import disk_usage
from builder.store.database import Database
from builder.store.selection import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from building import Project

pytestmark = pytest.mark.root
MB = 1 << 20
STEP = "RUN dd if=/dev/urandom of=/{0} bs=1M count=6\n"


def taken(project: Project) -> int:
    return sum(disk_usage(project.root / name) for name in ("trees", "content", "cache-mounts", "indexes"))


def written(project: Project, text: str) -> None:
    project.root.mkdir(mode=0o700, exist_ok=True)
    (project.root / "dockyard.toml").write_text(text)


def test_room_is_made_before_a_step_by_what_is_least_valuable(project: Project) -> None:
    for name in "abcd":
        project.built(f"FROM busybox\n{STEP.format(name)}", "-o", "type=cacheonly", "--max-disk", "20MB")
        assert taken(project) <= 20 * MB
    again = project.built(f"FROM busybox\n{STEP.format('d')}", "-o", "type=cacheonly", "--max-disk", "20MB")
    assert again.executed == []


def test_a_build_that_cannot_have_room_says_what_keeps_the_rest(project: Project) -> None:
    steps = "".join(STEP.format(name) for name in "abcd")
    outcome = project.build(f"FROM busybox\n{steps}", "-o", "type=cacheonly", "--max-disk", "14MB")
    assert outcome.code == 1
    assert "nothing more can go: images keep 0B, running builds" in outcome.err
    assert "raise --max-disk" in outcome.err
    # The step in flight is what the limit may be exceeded by.
    assert taken(project) <= 14 * MB


def test_what_steps_are_writing_counts_before_another_step_starts(project: Project) -> None:
    shared = "RUN --mount=type=cache,id=m,target=/m"
    outcome = project.build(
        f"FROM busybox AS large\n{shared} dd if=/dev/urandom of=/large bs=1M count=24; touch /m/written; "
        "while ! [ -e /m/begun ]; do sleep 0.1; done\n"
        f"FROM busybox AS other\n{shared} while ! [ -e /m/written ]; do sleep 0.1; done; echo 1 > /1\n"
        f"{shared} touch /m/begun\n"
        "FROM scratch\nCOPY --from=large /large /\nCOPY --from=other /1 /\n",
        *("-o", "type=cacheonly", "--max-disk", "20MB"),
    )
    assert outcome.code == 1
    assert re.search(r"what is being written 2[4-9]\.\d+MB", outcome.err), outcome.err


def test_a_blob_that_is_being_written_counts(project: Project) -> None:
    with (
        open_store(project.root) as store,
        store.lease() as lease,
        lease.content.ingest("large") as ingest,
    ):
        ingest.write(bytes(24 * MB))
        outcome = project.build(
            f"FROM busybox\n{STEP.format('a')}", "-o", "type=cacheonly", "--max-disk", "20MB"
        )
    assert outcome.code == 1
    assert re.search(r"what is being written 25\.\d+MB", outcome.err), outcome.err


def fill_database(project: Project, *, day: int) -> None:
    """Makes the database remember so many files that it takes more than 20 MB."""
    project.built("FROM scratch\nCOPY Dockerfile /\n", "-o", "type=cacheonly")
    database = Database(project.root / "dockyard.db")
    with database.write() as cursor:
        cursor.executemany(
            "INSERT INTO file_digests VALUES (0, ?, 1, 1, 1, ?, ?)",
            ((inode, Digest.of(b"%d" % inode), day) for inode in range(300_000)),
        )
    database.close()


def test_the_database_counts(project: Project) -> None:
    fill_database(project, day=int(time.time()) // (24 * 3600))
    outcome = project.build(f"FROM busybox\n{STEP.format('a')}", "-o", "type=cacheonly", "--max-disk", "20MB")
    assert outcome.code == 1
    assert re.search(r"the database 3\d\.\d+MB", outcome.err), outcome.err


def test_what_the_database_need_not_remember_goes_before_the_build_fails(project: Project) -> None:
    fill_database(project, day=1)
    project.built(f"FROM busybox\n{STEP.format('a')}", "-o", "type=cacheonly", "--max-disk", "20MB")
    assert disk_usage(project.root / "dockyard.db") < 5 * MB


def test_running_an_image_makes_room_for_its_files(project: Project, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    project.built(f"FROM busybox\n{STEP.format('a')}", "-o", f"type=docker,dest={archive},name=image")
    project.dockyard("load", "-i", str(archive))
    project.dockyard("cache", "prune", "--all")
    project.built(f"FROM busybox\n{STEP.format('b')}", "-o", "type=cacheonly")
    outcome = project.dockyard("run", "--max-disk", "12MB", "image", "true")
    assert outcome.code == 0, outcome.err
    assert taken(project) <= 15 * MB


def test_an_image_whose_files_have_no_room_is_not_run(project: Project) -> None:
    project.built(f"FROM busybox\n{STEP.format('a')}", "-t", "image")
    project.dockyard("cache", "prune", "--all")
    outcome = project.dockyard("run", "image", "true", environment={"DOCKYARD_MAX_DISK": "1MB"})
    assert outcome.code == 1 and "nothing more can go: images keep" in outcome.err


def test_the_limit_may_stand_in_the_settings_of_the_state_root(project: Project) -> None:
    written(project, 'max-disk = "10MB"\n')
    steps = "".join(STEP.format(name) for name in "abcd")
    outcome = project.build(f"FROM busybox\n{steps}", "-o", "type=cacheonly")
    assert outcome.code == 1 and "nothing more can go" in outcome.err


def test_policies_of_the_settings_are_applied_after_a_build(project: Project) -> None:
    written(project, '[[gc.policy]]\nall = true\nmax-used-space = "1MB"\n')
    project.built(f"FROM busybox\n{STEP.format('a')}", "-o", "type=cacheonly")
    assert list((project.root / "trees").iterdir()) == []


def test_policies_are_applied_once_a_minute_at_most(project: Project) -> None:
    project.built("FROM scratch\nCOPY Dockerfile /\n", "-o", "type=cacheonly")
    written(project, "[[gc.policy]]\nall = true\n")
    project.built(f"FROM busybox\n{STEP.format('a')}", "-o", "type=cacheonly")
    assert list((project.root / "trees").iterdir())
    os.utime(project.root / "collected", (0, 0))
    project.built(None, "-o", "type=cacheonly")
    assert list((project.root / "trees").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max-disk = 'huge'", "max-disk: invalid size: 'huge'"),
        ("maxdisk = 1", "unknown field `maxdisk`"),
        ("[[gc.policy]]\nfilters = ['colour==red']", "no field 'colour'"),
        ("max-disk = ", "Invalid value"),
    ],
)
def test_settings_that_cannot_be_read_are_an_error_with_the_key(
    project: Project, text: str, message: str
) -> None:
    written(project, text)
    outcome = project.build("FROM scratch\nCOPY Dockerfile /\n", "-o", "type=cacheonly")
    assert outcome.code == 1 and message in outcome.err and "dockyard.toml" in outcome.err
