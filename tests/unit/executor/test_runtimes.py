"""crun and runc: how they are called and what their complaints mean."""

from __future__ import annotations

import pytest

from builder.executor.errors import ExecutorError
from builder.executor.runtimes import Runtime, exit_code, find_runtime

RUNC_ERROR = (
    'time="2026-01-01T00:00:00Z" level=error msg="runc run failed: unable to start container process: '
)


@pytest.mark.parametrize(
    ("log", "code"),
    [
        ("executable file `nosuch` not found in $PATH: No such file or directory", 127),
        (RUNC_ERROR + r'exec: \"nosuch\": executable file not found in $PATH"', 127),
        (RUNC_ERROR + r'exec: \"/bin/no\": stat /bin/no: no such file or directory"', 127),
        ("open executable: Operation not permitted", 126),
        (RUNC_ERROR + r'exec: \"/etc\": permission denied"', 126),
        (RUNC_ERROR + r'exec: \"/etc\": is a directory"', 126),
    ],
)
def test_a_program_that_cannot_be_run_has_dockers_exit_code(log: str, code: int) -> None:
    assert exit_code(1, log) == code


@pytest.mark.parametrize(("status", "log"), [(0, ""), (3, ""), (137, ""), (5, 'level=warning msg="no oom"')])
def test_without_a_complaint_the_status_is_the_programs(status: int, log: str) -> None:
    assert exit_code(status, log) == status


def test_a_container_that_could_not_be_made_is_an_error() -> None:
    with pytest.raises(ExecutorError, match="could not be started: mount `proc`: Operation not permitted"):
        exit_code(1, "mount `proc`: Operation not permitted")


def test_a_missing_directory_is_not_taken_for_a_missing_program() -> None:
    with pytest.raises(ExecutorError):
        exit_code(1, RUNC_ERROR + 'chdir to cwd (\\"/x\\") set in config.json failed: permission denied"')


def test_a_machine_without_a_runtime_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ExecutorError, match="no container runtime") as caught:
        find_runtime()
    assert caught.value.hint == "install crun or runc: apt-get install crun"


def test_crun_uses_no_control_groups_and_runc_lives_without() -> None:
    places = {"state": "/s", "log": "/l", "bundle": "/b"}
    assert "--cgroup-manager=disabled" in Runtime("crun", "/crun", "").arguments("x", **places)
    assert "--rootless=true" in Runtime("runc", "/runc", "").arguments("x", **places)
