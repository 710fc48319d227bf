"""The engine that dockyard is judged against leaves nothing behind, however it ends."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from fixtures.peers.engine import running_engine

if TYPE_CHECKING:
    from fixtures.peers.engine import DockerEngine

pytestmark = pytest.mark.root

_CHECKOUT: Final = Path(__file__).parents[2]
_HOLDER: Final = """
import sys
from pathlib import Path
from fixtures.peers.engine import running_engine
with running_engine(Path(sys.argv[1])):
    print("started", flush=True)
    sys.stdin.read()
"""


def living_processes(folder: Path) -> list[int]:
    """Those whose command line names `folder`, without this one."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in line:
            found.append(int(entry.parent.name))
    return found


def test_an_engine_that_is_no_longer_needed_leaves_no_process_mount_or_file(
    docker_engine: DockerEngine, tmp_path: Path
) -> None:
    with running_engine(tmp_path):
        assert living_processes(tmp_path)
    assert not living_processes(tmp_path)
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()
    assert not [*tmp_path.iterdir()]


def test_an_engine_ends_with_the_process_that_started_it(docker_engine: DockerEngine, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _HOLDER, str(tmp_path)]
    with subprocess.Popen(
        command, cwd=_CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "started\n"
        engines = [os.pidfd_open(pid) for pid in living_processes(tmp_path) if pid != holder.pid]
        holder.send_signal(signal.SIGKILL)
    for engine in engines:
        _await_end(engine)
    assert not living_processes(tmp_path)


def _await_end(process: int) -> None:
    try:
        # The file of a process can be read once that has ended.
        assert select.select([process], [], [], 30)[0]
    finally:
        os.close(process)
