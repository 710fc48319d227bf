"""`dockyard pull` and `dockyard push` as people type them."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from faulty_proxy import FaultyProxy, Handler, stall, when

if TYPE_CHECKING:
    from subprocess import CompletedProcess

    from peers import Served

    from tests.integration.conftest import RunDockyard  # type: ignore[import-not-found]


def loaded(dockyard: RunDockyard, busybox_layout: Path, name: str) -> CompletedProcess[str]:
    return dockyard("load", "-q", "-i", str(busybox_layout), "-t", name)


def test_an_image_is_pushed_and_pulled_under_its_name(
    plain: Served, dockyard: RunDockyard, busybox_layout: Path
) -> None:
    name = f"{plain.host}/a/busybox:1"
    loaded(dockyard, busybox_layout, name)

    pushed = dockyard("push", name)
    dockyard("rmi", name)
    pulled = dockyard("pull", name)

    assert (pushed.returncode, pulled.returncode) == (0, 0), pushed.stderr + pulled.stderr
    digest = pushed.stdout.split()[2]
    assert pulled.stdout.splitlines() == [
        f"Digest: {digest}",
        f"Status: Downloaded newer image for {name}",
        name,
    ]


def test_quiet_commands_print_the_name_and_nothing_else(
    plain: Served, dockyard: RunDockyard, busybox_layout: Path
) -> None:
    name = f"{plain.host}/a/busybox:1"
    loaded(dockyard, busybox_layout, name)

    for command in ("push", "pull"):
        done = dockyard(command, "-q", name)
        assert (done.stdout, done.stderr) == (f"{name}\n", "")


def test_an_image_that_is_not_here_cannot_be_pushed(dockyard: RunDockyard) -> None:
    done = dockyard("push", "127.0.0.1:1/nope:1")

    assert done.returncode == 1
    assert "does not exist locally with the tag: 127.0.0.1:1/nope:1" in done.stderr


def test_a_registry_that_is_down_is_one_clear_message(dockyard: RunDockyard) -> None:
    done = dockyard("pull", "127.0.0.1:1/nope:1")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == "ERROR: cannot reach 127.0.0.1:1: Connection refused"


def test_a_name_that_is_none_is_wrong_usage(dockyard: RunDockyard) -> None:
    assert "invalid reference format" in dockyard("pull", "Not:A:Name").stderr


def test_an_interrupted_push_ends_at_once_and_says_so(
    faulty: FaultyProxy, dockyard: RunDockyard, dockyard_root: Path, busybox_layout: Path
) -> None:
    name = f"{faulty.host}/a/busybox:1"
    loaded(dockyard, busybox_layout, name)
    stalled = threading.Event()

    def wait(handler: Handler) -> None:
        stalled.set()
        stall(handler)

    faulty.faults = [when("PUT", "/uploads/", wait, times=100)]
    command = [Path(sys.executable).with_name("dockyard"), "--root", dockyard_root, "push", name]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        assert stalled.wait(60)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
