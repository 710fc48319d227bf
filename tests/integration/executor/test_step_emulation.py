"""Steps for foreign platforms, without a trace on the host."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builder.executor import ExecutorError, emulation
from builder.platforms import Platform

if TYPE_CHECKING:
    from laboratory import Laboratory

pytestmark = pytest.mark.root

MACHINES = [("arm64", "aarch64"), ("s390x", "s390x")]


def traces(lab: Laboratory) -> tuple[list[str], list[str]]:
    """What the host knows of emulators, and of mounts of the laboratory; others may mount meanwhile."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    ours = [line for line in mounts if "binfmt_misc" in line or str(lab.trees.parent) in line]
    return sorted(os.listdir("/proc/sys/fs/binfmt_misc")), ours


@pytest.mark.parametrize(("architecture", "machine"), MACHINES)
def test_a_foreign_step_runs_and_the_host_learns_nothing(
    lab: Laboratory, architecture: str, machine: str
) -> None:
    before = traces(lab)
    lab.sh("uname -m", lower=(architecture,), platform=Platform("linux", architecture))
    assert lab.text == f"{machine}\n"
    assert traces(lab) == before


@pytest.fixture
def arm64() -> dict[str, object]:
    return {"lower": ("arm64",), "platform": Platform("linux", "arm64")}


def test_a_foreign_step_that_changes_nothing_leaves_an_empty_layer(
    lab: Laboratory, arm64: dict[str, object]
) -> None:
    assert list(lab.sh("true", **arm64).iterdir()) == []  # type: ignore[arg-type]


def test_owners_of_a_foreign_step_are_exact(lab: Laboratory, arm64: dict[str, object]) -> None:
    upper = lab.sh("touch /a; chown 33:44 /a", **arm64)  # type: ignore[arg-type]
    status = (upper / "a").stat()
    assert (status.st_uid, status.st_gid) == (33, 44)


def test_a_foreign_step_has_networks_users_and_limits(lab: Laboratory, arm64: dict[str, object]) -> None:
    lab.sh(
        "id -u; ulimit -n; ip -4 -o addr show scope global | wc -l",
        user="www-data",
        network="default",
        ulimits=(("nofile", 2000, 4000),),
        **arm64,  # type: ignore[arg-type]
    )
    user, limit, addresses = lab.text.split()
    assert (user, limit) == ("33", "2000") and int(addresses) >= 1


def test_a_foreign_step_can_reach_neither_devices_nor_control_groups(
    lab: Laboratory, arm64: dict[str, object]
) -> None:
    lab.sh("! mknod /null c 1 3; ls -A /sys/fs/cgroup /proc/sys/fs/binfmt_misc; ! touch /sys/x", **arm64)  # type: ignore[arg-type]
    assert lab.output[1] == b"/proc/sys/fs/binfmt_misc:\n\n/sys/fs/cgroup:\n"


def test_a_limit_beyond_the_machines_is_an_error_that_names_it(
    lab: Laboratory, arm64: dict[str, object]
) -> None:
    step = lab.step("true", ulimits=(("nofile", 1, 1 << 40),), **arm64)  # type: ignore[arg-type]
    with pytest.raises(ExecutorError, match="RLIMIT_NOFILE cannot be 1:1099511627776 on this machine"):
        lab.run(step)


def test_a_386_step_runs_without_an_emulator() -> None:
    assert emulation.find_emulation(Platform("linux", "386")) is None
