"""How steps end, and that nothing of them outlives dockyard."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from laboratory import AMD64

from builder.executor import ExecutorError
from builder.graph import Exec
from builder.system.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from laboratory import Laboratory

pytestmark = pytest.mark.root

PATIENCE: Final = 20
"""Seconds after which something that should end has not."""

VICTIM: Final = """
import os, sys, threading
from pathlib import Path
from builder.executor import Executor, Step
from builder.graph import Exec
from builder.platforms import Platform
trees, folder, network = sys.argv[1:]
def run(number):
    upper, work = Path(folder, f"u{number}"), Path(folder, f"w{number}")
    upper.mkdir()
    work.mkdir()
    args = ("sh", "-c", "sleep 1000 & echo started; sleep 1000")
    operation = Exec(base=0, args=args, platform=Platform("linux", "amd64"), network=network)
    step = Step(operation=operation, lower=("amd64",), upper=upper, work=work)
    executor.run(step, on_output=lambda _, chunk: os.write(1, chunk), cancelled=threading.Event())
executor = Executor(trees_dir=Path(trees), run_dir=Path(folder, "run"), allow=frozenset())
for number in range(3):
    threading.Thread(target=run, args=(number,), daemon=True).start()
threading.Event().wait()
"""


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def processes_of(folder: Path) -> list[int]:
    """Processes that were started for `folder`, or whose file systems come from it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                texts = [(entry / name).read_bytes() for name in ("cmdline", "mountinfo")]
            except OSError:
                continue
            if any(os.fsencode(folder) in text for text in texts):
                found.append(int(entry.name))
    return found


def control_groups() -> set[str]:
    return {folder for folder, _, _ in os.walk("/sys/fs/cgroup")}


def network_namespaces() -> set[str]:
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                found.add(os.readlink(entry / "ns/net"))
            except OSError:
                continue
    return found


@pytest.mark.parametrize("network", ["default", "none"])
def test_killing_dockyard_leaves_nothing_on_the_host(lab: Laboratory, network: str) -> None:
    before = Path("/proc/self/mountinfo").read_text(), control_groups()
    command = [sys.executable, "-c", VICTIM, str(lab.trees), str(lab.folder), network]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as victim:
        assert victim.stdout is not None
        said = [victim.stdout.readline() for _ in range(3)]
        running = processes_of(lab.folder)
        victim.kill()
    # The victim, the supervisor's two processes, and a runtime for each step.
    assert said == [b"started\n"] * 3 and len(running) >= 6
    assert eventually(lambda: processes_of(lab.folder) == [])
    assert (Path("/proc/self/mountinfo").read_text(), control_groups()) == before
    assert list((lab.folder / "run").iterdir()) == []


def test_closing_ends_every_step_and_every_network(lab: Laboratory) -> None:
    before = network_namespaces()
    started = threading.Semaphore(0)

    def run() -> str:
        step = lab.step("sh", "-c", "echo started; sleep 1000", network="default")
        try:
            lab.executor.run(step, on_output=lambda *_: started.release(), cancelled=threading.Event())
        except Cancelled:
            return "cancelled"
        return "ended"

    with ThreadPoolExecutor(3) as pool:
        results = [pool.submit(run) for _ in range(3)]
        assert all(started.acquire(timeout=PATIENCE) for _ in range(3))
        lab.executor.close()
        assert [each.result(timeout=PATIENCE) for each in results] == ["cancelled"] * 3
    assert processes_of(lab.folder) == []
    assert eventually(lambda: network_namespaces() <= before)


def test_a_closed_executor_runs_nothing_more(lab: Laboratory) -> None:
    lab.executor.close()
    with pytest.raises(Cancelled):
        lab.run(lab.step("true"))


def test_a_cancelled_step_is_killed_with_all_that_it_started(lab: Laboratory) -> None:
    cancelled = threading.Event()
    step = lab.step("sh", "-c", "setsid sleep 1000 & trap '' TERM INT; echo started; sleep 1000")
    with pytest.raises(Cancelled):
        lab.executor.run(step, on_output=lambda *_: cancelled.set(), cancelled=cancelled)
    assert [each for each in processes_of(lab.folder) if b"sleep" in _command(each)] == []


def test_the_executor_goes_on_after_a_cancelled_step(lab: Laboratory) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        lab.run(lab.step("sleep", "1000"), cancelled=cancelled)
    assert lab.run(lab.step("true")) == 0


def test_what_a_step_left_running_ends_with_it(lab: Laboratory) -> None:
    lab.sh("setsid sleep 1000 > /dev/null 2>&1 &")
    assert [each for each in processes_of(lab.folder) if b"sleep" in _command(each)] == []


def test_a_reader_that_fails_takes_the_step_down(lab: Laboratory) -> None:
    def fail(_stream: int, _chunk: bytes) -> None:
        raise RuntimeError("reader")

    with pytest.raises(RuntimeError, match="reader"):
        lab.executor.run(
            lab.step("sh", "-c", "echo x; sleep 1000"), on_output=fail, cancelled=threading.Event()
        )
    assert [each for each in processes_of(lab.folder) if b"sleep" in _command(each)] == []


def test_a_supervisor_that_was_killed_is_an_error(lab: Laboratory) -> None:
    lab.sh("true")

    def kill(_stream: int, _chunk: bytes) -> None:
        for each in processes_of(lab.folder):
            if b"supervisor" in _command(each):
                os.kill(each, signal.SIGKILL)

    with pytest.raises(ExecutorError, match="supervisor ended before the step"):
        lab.executor.run(
            lab.step("sh", "-c", "echo x; sleep 1000"), on_output=kill, cancelled=threading.Event()
        )
    assert eventually(lambda: processes_of(lab.folder) == [])


def test_twenty_steps_run_at_once(lab: Laboratory) -> None:
    steps = [lab.step("sh", "-c", f"echo {number} > /file; exit {number}") for number in range(20)]

    def run(number: int) -> int:
        return lab.executor.run(steps[number], on_output=print, cancelled=threading.Event())

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(run, range(20))) == list(range(20))
    assert [int((step.upper / "file").read_text()) for step in steps] == list(range(20))


def test_steps_leave_no_descriptor_and_no_child_behind(lab: Laboratory) -> None:
    lab.sh("true")
    before = len(os.listdir("/proc/self/fd")), len(processes_of(lab.folder))
    for _ in range(10):
        lab.sh("true")
    assert (len(os.listdir("/proc/self/fd")), len(processes_of(lab.folder))) == before


def test_an_attached_program_has_the_callers_streams_and_leaves_nothing(lab: Laboratory) -> None:
    paths = [lab.folder / name for name in ("in", "out", "err")]
    paths[0].write_text("question\n")
    paths[1].touch()
    paths[2].touch()
    script = "cat; echo err >&2; echo x > /file; exit 5"
    plan = Exec(base=0, args=("sh", "-c", script), platform=AMD64, network="none", user="0:5")
    with paths[0].open("rb") as source, paths[1].open("wb") as out, paths[2].open("wb") as err:
        streams = (source.fileno(), out.fileno(), err.fileno())
        code = lab.executor.attach(plan, ("amd64",), streams=streams, cancelled=threading.Event())
    assert (code, paths[1].read_text(), paths[2].read_text()) == (5, "question\n", "err\n")
    assert {(path.stat().st_uid, path.stat().st_gid) for path in paths} == {(0, 0)}


def test_runc_serves_where_crun_is_missing(
    lab: Laboratory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runc").symlink_to("/usr/sbin/runc")
    monkeypatch.setenv("PATH", str(tmp_path))
    before = control_groups()
    upper = lab.sh("mknod /null c 1 3; ! cat /null; grep ^CapEff /proc/self/status; ls -A /sys/fs/cgroup")
    assert "00000000a80425fb" in lab.text and [path.name for path in upper.iterdir()] == ["null"]
    assert lab.run(lab.step("nosuch")) == 127
    assert control_groups() == before


def _command(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_supervisor_that_was_started_ahead_runs_the_steps(lab: Laboratory) -> None:
    lab.executor.prepare()
    lab.executor.prepare()

    lab.sh("echo ran > /file")

    assert len([pid for pid in processes_of(lab.folder) if _is_supervisor(pid)]) == 2


def test_nothing_is_left_of_a_supervisor_that_no_step_needed(lab: Laboratory) -> None:
    lab.executor.prepare()

    lab.executor.close()

    assert eventually(lambda: not processes_of(lab.folder))


def _is_supervisor(pid: int) -> bool:
    """The process that was started, and its child that does the work."""
    return b"executor.supervisor" in Path(f"/proc/{pid}/cmdline").read_bytes()
