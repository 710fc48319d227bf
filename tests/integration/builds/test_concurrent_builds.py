"""Builds at the same time on one state root: equal steps run once, and nobody depends on who is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from building import Outcome, read_archive

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from building import Project

pytestmark = pytest.mark.root
WAITING = "waiting for another build that runs this step"
TEXT = """\
FROM busybox AS build
RUN sleep 2; cat /proc/sys/kernel/random/uuid > /once
RUN sleep 1; cat /proc/sys/kernel/random/uuid > /twice
FROM busybox
COPY --from=build /once /twice /
"""


def start(project: Project, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        project.command(*project.build_arguments(None, *options)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finished(running: Sequence[subprocess.Popen[bytes]]) -> list[Outcome]:
    outcomes = []
    for each in running:
        out, err = each.communicate(timeout=240)
        outcomes.append(Outcome(subprocess.CompletedProcess(each.args, each.returncode, out, err)))
    return outcomes


def test_ten_builds_at_once_do_each_step_once_and_get_the_same_result(
    project: Project, tmp_path: Path
) -> None:
    project.write("Dockerfile", TEXT)
    archives = [tmp_path / f"image{number}.tar" for number in range(10)]
    outcomes = finished([start(project, "-o", f"type=oci,dest={each}") for each in archives])
    assert [each.code for each in outcomes] == [0] * 10, [each.err for each in outcomes if each.code]
    ran = [step for outcome in outcomes for step in outcome.executed if "RUN sleep" in step]
    assert len(ran) == 2, ran
    assert len({read_archive(each).text("once") for each in archives}) == 1


def test_a_build_that_waits_for_another_says_so(project: Project) -> None:
    project.write("Dockerfile", TEXT)
    outcomes = finished([start(project, "-o", "type=cacheonly") for _ in range(2)])
    # Who waited for the first step may well be the first at the second.
    assert any(WAITING in each.err for each in outcomes), [each.err for each in outcomes]


def wait_for_line(running: subprocess.Popen[bytes], text: str) -> None:
    assert running.stderr is not None
    while text.encode() not in (line := running.stderr.readline()):
        assert line, f"the build ended before it said {text!r}"


def test_the_step_of_a_build_that_is_killed_is_taken_over_by_one_that_waits(project: Project) -> None:
    project.write("Dockerfile", "FROM busybox\nRUN echo begun; sleep 3; echo made > /made\n")
    owner = start(project, "-o", "type=cacheonly")
    wait_for_line(owner, "begun")
    heir = start(project, "-o", "type=cacheonly")
    wait_for_line(heir, WAITING)
    owner.send_signal(signal.SIGKILL)
    owner.communicate(timeout=60)
    (outcome,) = finished([heir])
    assert outcome.code == 0 and "begun" in outcome.err, outcome.err


def test_a_build_that_is_interrupted_while_it_waits_ends_at_once(project: Project) -> None:
    project.write("Dockerfile", "FROM busybox\nRUN echo begun; sleep 20\n")
    owner = start(project, "-o", "type=cacheonly")
    wait_for_line(owner, "begun")
    waiting = start(project, "-o", "type=cacheonly")
    wait_for_line(waiting, WAITING)
    started = time.monotonic()
    waiting.send_signal(signal.SIGINT)
    waiting.communicate(timeout=60)
    owner.kill()
    owner.communicate(timeout=60)
    assert waiting.returncode == 130 and time.monotonic() - started < 10


def test_a_failure_of_one_build_lets_the_others_try_for_themselves(project: Project) -> None:
    project.write("Dockerfile", "FROM busybox\nRUN echo begun; sleep 1; false\n")
    outcomes = finished([start(project, "-o", "type=cacheonly") for _ in range(3)])
    assert [each.code for each in outcomes] == [1, 1, 1]
    assert all('"/bin/sh -c echo begun; sleep 1; false" did not complete' in each.err for each in outcomes)


def test_jobs_bounds_the_steps_that_run_at_once(project: Project) -> None:
    stages = "".join(f"FROM busybox AS s{n}\nRUN echo {n}; sleep 0.5\n" for n in range(4))
    copies = "".join(f"COPY --from=s{n} /bin/sh /sh{n}\n" for n in range(4))
    project.write("Dockerfile", f"{stages}FROM scratch\n{copies}")
    started = time.monotonic()
    (outcome,) = finished([start(project, "--jobs", "1", "-o", "type=cacheonly")])
    assert outcome.code == 0 and time.monotonic() - started >= 4 * 0.5


def test_threads_do_not_grow_with_the_number_of_ready_steps(project: Project) -> None:
    stages = "".join(f"FROM busybox AS s{n}\nRUN sleep 1; echo {n}\n" for n in range(60))
    copies = "".join(f"COPY --from=s{n} /bin/sh /sh{n}\n" for n in range(60))
    project.write("Dockerfile", f"{stages}FROM scratch\n{copies}")
    running = start(project, "--jobs", "4", "-o", "type=cacheonly", "--progress", "quiet")
    most = 0
    for _ in range(40):
        try:
            most = max(most, len(os.listdir(f"/proc/{running.pid}/task")))
        except OSError:
            break
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    assert 4 <= most <= 4 + 6
