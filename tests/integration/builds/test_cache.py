"""What a second build does again: only what depends on a change."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from building import Outcome

if TYPE_CHECKING:
    from building import Project

pytestmark = pytest.mark.root
TEXT = """\
FROM busybox AS build
COPY src /src
RUN cat /src/* > /result
FROM busybox
WORKDIR /app
COPY --from=build /result result
COPY docs docs
RUN ls docs
"""


@pytest.fixture
def sources(project: Project) -> Project:
    project.write("src/a", "a")
    project.write("docs/index", "index")
    project.write("unrelated", "x")
    return project


def test_the_same_build_again_does_nothing(sources: Project) -> None:
    sources.built(TEXT, "-t", "app")
    again = sources.build(TEXT, "-t", "app")
    assert (again.executed, len(again.cached)) == ([], 6), again.err


def test_a_change_outside_the_copied_paths_keeps_the_cache(sources: Project) -> None:
    sources.built(TEXT, "-t", "app")
    sources.write("unrelated", "changed")
    assert sources.built(TEXT, "-t", "app").executed == []


def test_a_changed_file_runs_what_depends_on_it_and_nothing_else(sources: Project) -> None:
    sources.built(TEXT, "-t", "app")
    sources.write("docs/index", "changed")
    executed = sources.built(TEXT, "-t", "app").executed
    assert [step.partition("] ")[2] for step in executed] == ["COPY docs docs", "RUN ls docs"]


def test_a_stage_that_makes_the_same_file_again_stops_the_change(sources: Project) -> None:
    sources.built(TEXT, "-t", "app")
    sources.write("src/a", "")
    sources.write("src/b", "a")
    executed = sources.built(TEXT, "-t", "app").executed
    assert [step.partition("] ")[2] for step in executed] == ["COPY src /src", "RUN cat /src/* > /result"]


def test_a_touched_file_is_not_a_change(sources: Project) -> None:
    sources.built(TEXT, "-t", "app")
    os.utime(sources.context / "docs/index", (1, 1))
    assert sources.built(TEXT, "-t", "app").executed == []


def test_a_changed_mode_is_a_change(sources: Project) -> None:
    sources.built(TEXT, "-t", "app")
    (sources.context / "docs/index").chmod(0o755)
    assert len(sources.built(TEXT, "-t", "app").executed) == 2


def test_no_cache_runs_every_step_again(sources: Project) -> None:
    sources.built(TEXT, "-t", "app")
    assert len(sources.built(TEXT, "--no-cache", "-t", "app").executed) >= 5


def test_a_build_argument_that_is_used_runs_the_step_again(project: Project) -> None:
    text = "FROM busybox\nARG V=1\nRUN echo $V > /v\n"
    project.built(text, "-t", "app")
    assert len(project.build(text, "--build-arg", "V=2", "-t", "app").executed) == 1


def test_two_builds_at_once_do_each_step_once(project: Project) -> None:
    text = "FROM busybox\nRUN sleep 1; cat /proc/sys/kernel/random/uuid > /a\nRUN sleep 1; echo b > /b\n"
    arguments = project.command(*project.build_arguments(text, "-o", "type=cacheonly"))
    running = [subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    outcomes = []
    for each in running:
        out, err = each.communicate(timeout=120)
        outcomes.append(Outcome(subprocess.CompletedProcess(arguments, each.returncode, out, err)))
    assert [each.code for each in outcomes] == [0, 0], [each.err for each in outcomes]
    assert sum(len(each.executed) for each in outcomes) == 2, [each.err for each in outcomes]
    image = project.image(text)
    assert image.text("b") == "b\n"
