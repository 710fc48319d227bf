"""Workers: how many there are, and that no more start than are needed."""

from __future__ import annotations

import threading

import pytest

from builder.solver.workers import Workers, job_limit


@pytest.mark.parametrize(
    ("wanted", "cores", "files", "jobs"),
    [(None, 2, 1024, 32), (None, 64, 1024, 115), (4, 64, 1024, 4), (500, 2, 256, 19), (None, 2, 64, 1)],
)
def test_jobs_are_what_was_asked_for_as_far_as_files_suffice(
    wanted: int | None, cores: int, files: int, jobs: int
) -> None:
    assert job_limit(wanted, cores=cores, files=files) == jobs


def test_no_more_tasks_run_at_once_than_were_allowed() -> None:
    workers, guard, running, most = Workers(3), threading.Lock(), [0], [0]
    enough = threading.Semaphore(0)

    def task() -> None:
        with guard:
            running[0] += 1
            most[0] = max(most[0], running[0])
        enough.acquire(timeout=10)
        with guard:
            running[0] -= 1

    for _ in range(20):
        workers.submit(task)
    enough.release(20)
    workers.join()
    assert most[0] <= 3
