"""The supervisor: one process beneath which all containers of a dockyard process live.

Started by `builder.executor.connection`, with a socket and its settings. It makes private mount and PID
namespaces, and its child, PID 1 there, does the work. Whatever is mounted, started or made beneath it is the
namespaces' own and ends with them. It exists because dockyard itself has many threads, from which a process
that goes on in Python cannot be forked, and because a killed dockyard cannot clean up.
Imports only what starts quickly: a build waits for it.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Final, cast

from builder.executor import layout
from builder.executor.container import World
from builder.executor.reaper import Reaper
from builder.executor.runtimes import Runtime
from builder.executor.wire import Settings, failed, memory_file, send_outcome
from builder.system.linux import (
    CLONE_NEWNS,
    CLONE_NEWPID,
    MNT_DETACH,
    MS_BIND,
    MS_NODEV,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    die_with_parent,
    mount,
    unmount,
    unshare,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.executor.runtimes import Kind

_CGROUPS: Final = "/sys/fs/cgroup"
_UNIFIED: Final = f"{_CGROUPS}/unified"
# The four seals that crun and runc look for, to know that they run from a copy that nobody can write to.
_SEALS: Final = 0xF
_F_ADD_SEALS: Final = 1033


def main() -> None:
    """Runs as `supervisor SETTINGS SOCKET`; ends the process when everything beneath has ended."""
    settings = Settings.decode(sys.argv[1])
    control = socket.socket(fileno=int(sys.argv[2]))
    control.set_inheritable(False)
    os.chdir("/")
    os.umask(0o022)
    try:
        unshare(CLONE_NEWNS | CLONE_NEWPID)
        child = os.fork()
    except OSError as error:
        send_outcome(control, failed(error))
        return
    if child == 0:
        try:
            _supervise(control, settings)
        except Exception:  # noqa: BLE001 -- PID 1 has nobody to raise to; whoever listens reads standard error.
            sys.excepthook(*sys.exc_info())
        finally:
            # Nothing of the process above may run twice.
            os._exit(0)
    # From here on only the child holds the socket, so its end is seen at the other side.
    control.close()
    os.waitpid(child, 0)
    # Dockyard waits for this end, and there is nothing here that an interpreter must put away.
    os._exit(0)


def _supervise(control: socket.socket, settings: Settings) -> None:
    die_with_parent(signal.SIGKILL)
    try:
        runtime_file = _sealed_copy(settings.runtime_path)
        _make_private_world(settings)
    except OSError as error:
        send_outcome(control, failed(error))
        return
    send_outcome(control, {"status": 0, "log": "", "failure": None, "hint": None})
    kind = cast("Kind", settings.runtime_kind)
    runtime = Runtime(kind, settings.runtime_path, "")
    world = World(settings.trees_dir, settings.run_dir, runtime, runtime_file, None)
    Reaper(control, settings, world).serve()


def _make_private_world(settings: Settings) -> None:
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc")
    _withdraw_cgroups(settings.runtime_kind)
    mount("tmpfs", settings.run_dir, "tmpfs", flags=MS_NOSUID | MS_NODEV, options="mode=700")
    for name in (layout.STEP, layout.LOGS):
        os.mkdir(f"{settings.run_dir}/{name}", 0o700)


def _withdraw_cgroups(kind: str) -> None:
    """Takes from the runtime what it would leave traces in, or stumble over."""
    mounted = list(_mounts_below(_CGROUPS))
    if kind == "crun":
        # crun does not start where cgroup 2 is mounted beside cgroup 1, even when it is to use neither.
        if _UNIFIED in mounted:
            unmount(_UNIFIED, MNT_DETACH)
        return
    for path in mounted:
        mount("none", path, flags=MS_REMOUNT | MS_BIND | MS_RDONLY)


def _mounts_below(directory: str) -> Iterator[str]:
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            path, kind = line.split()[1:3]
            if kind in ("cgroup", "cgroup2") and f"{path}/".startswith(f"{directory}/"):
                yield path


def _sealed_copy(path: str) -> int:
    with open(path, "rb") as file:
        descriptor = memory_file("runtime", file.read(), flags=os.MFD_ALLOW_SEALING)
    fcntl.fcntl(descriptor, _F_ADD_SEALS, _SEALS)
    return descriptor
