"""What this machine has for running steps, asked one by one, for `dockyard doctor`.

Every check is a real try in namespaces of its own or a look at a file; none changes anything on the host.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from builder.executor.emulation import (
    EMULATED_ARCHITECTURES,
    PRIVATE_BINFMT_KERNEL,
    emulator_line,
    has_emulator,
    is_registered_on_host,
    runs_natively,
)
from builder.executor.errors import ExecutorError
from builder.executor.isolated import ENVIRONMENT, command
from builder.executor.runtimes import find_runtime
from builder.platforms import Platform, host_platform
from builder.system.linux import kernel_version

if TYPE_CHECKING:
    from collections.abc import Callable

# The first kernel whose overlayfs lets a step skip the syncs that only its commit needs.
_KERNEL: Final = (5, 10)
_CGROUPS: Final = Path("/sys/fs/cgroup")
_PROBE_SECONDS: Final = 20


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at. `remedy` is empty when `ok`."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


def check_machine() -> tuple[Check, ...]:
    """All checks, in the order in which a machine is best put right."""
    return tuple(check() for check in CHECKS)


def check_root() -> Check:
    """Whether this process may make namespaces and mounts."""
    if os.geteuid() == 0:
        return Check(name="root", ok=True, detail="running as root")
    return Check(
        name="root", ok=False, detail=f"running as user {os.geteuid()}", remedy="run dockyard as root"
    )


def check_kernel() -> Check:
    """Whether Linux is new enough."""
    major, minor = kernel_version()
    if (major, minor) >= _KERNEL:
        return Check(name="kernel", ok=True, detail=f"Linux {major}.{minor}")
    return Check(name="kernel", ok=False, detail=f"Linux {major}.{minor}", remedy="use Linux 5.10 or newer")


def check_overlay() -> Check:
    """Whether layers can be stacked, by doing it."""
    problem = _probe("overlay")
    if not problem:
        return Check(name="overlay", ok=True, detail="overlayfs can be mounted")
    return Check(
        name="overlay", ok=False, detail=problem, remedy="load the module (modprobe overlay), and run as root"
    )


def check_runtime() -> Check:
    """Which OCI runtime runs the steps, and how it gets along with this machine's control groups."""
    try:
        runtime = find_runtime()
    except ExecutorError as error:
        return Check(name="runtime", ok=False, detail=error.message, remedy=error.hint or "")
    answer = subprocess.run(
        [runtime.path, "--version"], capture_output=True, text=True, check=False, timeout=_PROBE_SECONDS
    )
    version = answer.stdout.partition("\n")[0].strip()
    way = _cgroup_way(runtime.kind)
    return Check(name="runtime", ok=answer.returncode == 0, detail=f"{version} ({runtime.path}); {way}")


def check_emulation() -> Check:
    """Which foreign platforms can be built for, and whether an emulator can be registered privately."""
    host = host_platform()
    foreign = [name for name in EMULATED_ARCHITECTURES if not runs_natively(Platform("linux", name), host)]
    there = [name for name in foreign if has_emulator(name)]
    if not there:
        return Check(
            name="emulators",
            ok=False,
            detail=f"only {host} can be built for",
            remedy="install QEMU's user emulators: apt-get install qemu-user-static",
        )
    platforms = ", ".join(f"linux/{name}" for name in sorted(there))
    private = [name for name in there if not is_registered_on_host(name)]
    if not private:
        return Check(name="emulators", ok=True, detail=f"{platforms}; registered on the host")
    problem = _private_problem(private[0])
    if problem:
        remedy = "use Linux 6.7 or newer with user namespaces, or register the emulators on the host"
        return Check(name="emulators", ok=False, detail=problem, remedy=remedy)
    return Check(name="emulators", ok=True, detail=f"{platforms}; registered for each step alone")


def check_network() -> Check:
    """Whether the default network of steps can be made."""
    path = shutil.which("pasta")
    if path is not None:
        return Check(name="network", ok=True, detail=f"pasta ({path})")
    return Check(
        name="network",
        ok=False,
        detail="pasta is missing: only --network=none and --network=host work",
        remedy="install it: apt-get install passt",
    )


CHECKS: Final[tuple[Callable[[], Check], ...]] = (
    check_root,
    check_kernel,
    check_overlay,
    check_runtime,
    check_emulation,
    check_network,
)


def _private_problem(architecture: str) -> str:
    if kernel_version() < PRIVATE_BINFMT_KERNEL:
        return "this kernel has no private binfmt_misc"
    return _probe("emulation", emulator_line(architecture))


def _cgroup_way(kind: str) -> str:
    if kind == "runc":
        return "control groups are read-only for it"
    if (_CGROUPS / "unified").is_dir():
        return "control groups are not used; both kinds are mounted, the second is hidden from it"
    return "control groups are not used"


def _probe(*arguments: str) -> str:
    """What the probe complained of; empty when it went well."""
    tried = subprocess.run(
        command("probe", *arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=_PROBE_SECONDS,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
    )
    return (tried.stdout or tried.stderr).strip()
