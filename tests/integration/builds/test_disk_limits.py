"""A state root stays within its limit, and is collected by policy after builds."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from builder.snapshot.treesizes import disk_usage

if TYPE_CHECKING:
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
