"""From a forked process to a container: what happens between the supervisor's fork and the runtime's exec.

The process is the first of a PID namespace of its own, so that killing it kills whatever the step started, and
it leaves its mounts in a mount namespace of its own, so that nothing needs to be unmounted. It becomes the
runtime by exec, from a sealed copy in memory: no step can overwrite that (CVE-2019-5736), and the runtime
does not have to copy itself again for every step.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final, NamedTuple

from builder.executor import devices, layout, mountpoints, overlay, private_binfmt
from builder.executor.accounts import find_account
from builder.executor.mounts import prepare_mounts
from builder.executor.network import enter_network
from builder.executor.secrets import write_secrets
from builder.executor.signals import restore_signals
from builder.executor.wire import failed, read_request, send_outcome
from builder.system.linux import (
    CLONE_NEWNS,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_RDONLY,
    mount,
    unshare,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from typing import NoReturn

    from builder.executor.mounts import MountPoint
    from builder.executor.runtimes import Runtime
    from builder.executor.spec import Spec
    from builder.executor.wire import Request

_SETUP_FAILED: Final = 125
_DIRECTORIES: Final = (
    layout.ROOT,
    layout.DEVICES,
    layout.NODES,
    layout.SYSTEM,
    layout.STUBS,
    layout.VIEW,
    layout.NOTHING,
    layout.SCRATCH,
)


class World(NamedTuple):
    """What the supervisor lends to each step: names, the runtime's sealed copy, the shared network."""

    trees_dir: str
    run_dir: str
    runtime: Runtime
    runtime_file: int
    network: int | None


def become_step(
    world: World, request: int, *, channel: socket.socket, streams: Sequence[int], name: str
) -> NoReturn:
    """Sets up the step of the memory file `request` and becomes its runtime; failures go to `channel`."""
    try:
        restore_signals()
        _connect(streams)
        step = f"{world.run_dir}/{layout.STEP}"
        _prepare(world, read_request(request), step)
        state, log = f"{world.run_dir}/{layout.STATE}", layout.log_file(world.run_dir, name)
        arguments = world.runtime.arguments(name, state=state, log=log, bundle=step)
        os.execve(world.runtime_file, arguments, {"PATH": os.defpath})
    except Exception as error:  # noqa: BLE001 -- the end of this process; whoever waits for the step reads it.
        send_outcome(channel, failed(error))
    finally:
        os._exit(_SETUP_FAILED)


def _prepare(world: World, request: Request, step: str) -> None:
    enter_network(request["network"], world.network)
    unshare(CLONE_NEWNS)
    # The processes of this PID namespace are found in a /proc of their own.
    mount("proc", "/proc", "proc", flags=MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount("tmpfs", step, "tmpfs", flags=MS_NOSUID | MS_NODEV, options="mode=700")
    for name in _DIRECTORIES:
        os.mkdir(f"{step}/{name}", 0o755)
    points = prepare_mounts(request["mounts"], world.trees_dir, step)
    _mount_root(world.trees_dir, request, step, points)
    devices.mount_devices(f"{step}/{layout.DEVICES}", f"{step}/{layout.NODES}", insecure=request["insecure"])
    mount("sysfs", f"{step}/{layout.SYSTEM}", "sysfs", flags=MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
    _write(f"{step}/{layout.HOSTS}", request["hosts"])
    _write(f"{step}/{layout.RESOLVER}", request["resolver"])
    write_secrets(request["secrets"], f"{step}/{layout.SECRETS}")
    spec = _with_account(request["spec"], request["user"], f"{step}/{layout.ROOT}")
    _write(f"{step}/config.json", json.dumps(spec))
    if request["emulation"] is not None:
        private_binfmt.apply_limits(spec["process"]["rlimits"])
        private_binfmt.enter(request["emulation"])


def _mount_root(trees_dir: str, request: Request, step: str, points: Sequence[MountPoint]) -> None:
    stubs, view = f"{step}/{layout.STUBS}", f"{step}/{layout.VIEW}"
    lower = overlay.open_trees(trees_dir, request["lower"])
    upper, work = _writable_directories(request, step)
    if lower:
        # At least two directories are needed, and an empty one changes nothing but the root's attributes.
        overlay.mount_lower(view, (overlay.open_directory(f"{step}/{layout.NOTHING}"), *lower))
        overlay.copy_attributes(f"/proc/self/fd/{lower[0]}/.", upper)
    files = [secret["path"] for secret in request["secrets"]]
    mountpoints.make_stubs(view, stubs, upper=upper, files=files, points=points)
    overlay.mount_writable(
        f"{step}/{layout.ROOT}",
        (overlay.open_directory(stubs), *lower),
        upper=overlay.open_directory(upper),
        work=overlay.open_directory(work),
    )


def _writable_directories(request: Request, step: str) -> tuple[str, str]:
    if request["upper"] is not None and request["work"] is not None:
        return request["upper"], request["work"]
    scratch = f"{step}/{layout.SCRATCH}"
    mount("tmpfs", scratch, "tmpfs", flags=MS_NODEV, options="mode=755")
    upper, work = f"{scratch}/upper", f"{scratch}/work"
    os.mkdir(upper, 0o755)
    os.mkdir(work, 0o700)
    return upper, work


def _with_account(spec: Spec, user: str, root: str) -> Spec:
    handle = overlay.open_directory(root)
    try:
        account = find_account(handle, user)
    finally:
        os.close(handle)
    process = spec["process"].copy()
    process["user"] = {
        **process["user"],
        "uid": account.uid,
        "gid": account.gid,
        # The primary group, too: a process that drops it must not gain what its members are denied
        # (CVE-2022-36109).
        "additionalGids": list(dict.fromkeys((account.gid, *account.groups))),
    }
    if not any(each.startswith("HOME=") for each in process["env"]):
        process["env"] = [*process["env"], f"HOME={account.home}"]
    return {**spec, "process": process}


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8", opener=_world_readable) as file:
        file.write(text)


def _world_readable(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o644)


def _connect(streams: Sequence[int]) -> None:
    os.setsid()
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
