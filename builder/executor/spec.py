"""The OCI runtime spec of a step: what its container looks like.

The same container that BuildKit and Docker give, so that a Dockerfile behaves alike. Pure: it is made from the
operation; what only the image can say (the user's number, the home directory) is filled in beneath the
supervisor, where the image is mounted.
Source: OCI runtime-spec, config.md and config-linux.md; Docker's default capabilities, masked and
read-only paths.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NotRequired, TypedDict

from builder.executor import layout
from builder.executor.capabilities import capabilities
from builder.executor.errors import ExecutorError
from builder.executor.mounts import is_memory
from builder.executor.names import DEFAULT_HOSTNAME
from builder.executor.seccomp import profile
from builder.system.errors import Unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from builder.executor.mounts import MountRequest
    from builder.executor.runtimes import Runtime
    from builder.executor.secrets import SecretRequest
    from builder.graph import Exec

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_SHM_SIZE: Final = 64 << 20

_MASKED: Final = tuple(
    "/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug "
    "/proc/scsi /proc/timer_list /proc/timer_stats /sys/devices/virtual/powercap /sys/firmware".split()
)
_READ_ONLY: Final = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
# The network is not here: the container inherits the namespace that its supervisor chose.
_NAMESPACES: Final = ("cgroup", "ipc", "mount", "pid", "uts")
_RESOURCES: Final = frozenset(
    "as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split()
)
_UNLIMITED: Final = 2**64 - 1
_UMASK: Final = 0o022
# crun gives a hook the container's state to read, and fails when the hook ends before it has done so.
_TIGHTEN: Final = 'read -r state; exec "$0" -n -o remount,bind,nodev "$1"'


class Limit(TypedDict):
    """A POSIX resource limit; 2^64-1 is unlimited."""

    type: str
    soft: int
    hard: int


class User(TypedDict):
    """Numbers of the container's first process."""

    uid: int
    gid: int
    umask: int
    additionalGids: NotRequired[Sequence[int]]


class Process(TypedDict):
    """The container's first process."""

    terminal: bool
    user: User
    args: Sequence[str]
    env: Sequence[str]
    cwd: str
    capabilities: Mapping[str, Sequence[str]]
    rlimits: Sequence[Limit]
    noNewPrivileges: bool


class Mount(TypedDict):
    """Something that the runtime mounts in the container."""

    destination: str
    type: str
    source: str
    options: Sequence[str]


class Spec(TypedDict):
    """A config.json, as far as a step needs it."""

    ociVersion: str
    process: Process
    root: Mapping[str, str]
    hostname: str
    mounts: Sequence[Mount]
    linux: Mapping[str, object]
    hooks: NotRequired[Mapping[str, object]]


def runtime_spec(
    operation: Exec,
    *,
    run_dir: str,
    runtime: Runtime,
    secrets: Sequence[SecretRequest] = (),
    secret_env: Mapping[str, str] | None = None,
    mounts: Sequence[MountRequest] = (),
) -> Spec:
    """The config.json of `operation`'s container, but for the user; `secret_env` wins over its variables.

    Raises: ExecutorError or Unsupported for what no container can be given.
    """
    if operation.cgroup_parent:
        raise Unsupported(
            "--cgroup-parent is not supported: steps run without a control group of their own",
            hint="leave the option out, or start dockyard itself in the control group",
        )
    bundle = f"{run_dir}/{layout.STEP}"
    root = f"{bundle}/{layout.ROOT}"
    spec = Spec(
        ociVersion="1.0.2",
        process=_process(operation, secret_env or {}),
        root={"path": root},
        hostname=operation.hostname or DEFAULT_HOSTNAME,
        mounts=[
            *_mounts(bundle, operation.shm_size or DEFAULT_SHM_SIZE),
            *_step_mounts(mounts, f"{bundle}/{layout.MOUNTS}"),
            *_secret_mounts(secrets, f"{bundle}/{layout.SECRETS}"),
        ],
        linux={
            "namespaces": [{"type": each} for each in _NAMESPACES],
            **({} if operation.security == "insecure" else _confinement()),
        },
    )
    if runtime.kind == "crun":
        # crun drops the flag that keeps the image's device nodes from being opened; this puts it back before
        # the first program of the image runs, and a failure here ends the container.
        tighten = {"path": "/bin/sh", "args": ["sh", "-c", _TIGHTEN, runtime.mount, root]}
        spec["hooks"] = {"createContainer": [tighten]}
    return spec


def _confinement() -> dict[str, object]:
    return {"maskedPaths": _MASKED, "readonlyPaths": _READ_ONLY, "seccomp": profile(os.uname().machine)}


def _process(operation: Exec, secret_env: Mapping[str, str]) -> Process:
    if not operation.args:
        raise ExecutorError("a step needs a program to run")
    environment = _environment(operation, secret_env)
    for text in (*operation.args, *environment, operation.cwd):
        _check_text(text)
    return Process(
        terminal=False,
        user=User(uid=0, gid=0, umask=_UMASK),
        args=operation.args,
        env=environment,
        cwd=operation.cwd,
        # Neither inheritable nor ambient: CVE-2022-27651.
        capabilities=dict.fromkeys(("bounding", "effective", "permitted"), capabilities(operation.security)),
        rlimits=[_limit(*each) for each in operation.ulimits],
        noNewPrivileges=False,
    )


def _environment(operation: Exec, secret_env: Mapping[str, str]) -> list[str]:
    pairs = {**dict(operation.env), **secret_env}
    for name, value in (*operation.proxy_env, ("PATH", DEFAULT_PATH)):
        pairs.setdefault(name, value)
    return [f"{name}={value}" for name, value in pairs.items()]


def _check_text(text: str) -> None:
    if "\0" in text:
        raise ExecutorError(f"{text[:80]!r} holds a NUL byte, which no program can be given")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ExecutorError(
            f"{text[:80]!r} is not valid UTF-8, which a container runtime cannot be given"
        ) from error


def _limit(name: str, soft: int, hard: int) -> Limit:
    if name not in _RESOURCES:
        raise ExecutorError(f"invalid ulimit type: {name}", hint=f"one of {', '.join(sorted(_RESOURCES))}")
    soft, hard = (_UNLIMITED if value < 0 else value for value in (soft, hard))
    if soft > hard:
        raise ExecutorError(f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}")
    return Limit(type=f"RLIMIT_{name.upper()}", soft=soft, hard=hard)


def _mounts(bundle: str, shm_size: int) -> list[Mount]:
    quiet = ["nosuid", "noexec", "nodev"]
    terminals = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]
    return [
        _mount("/proc", "proc", "proc", quiet),
        _mount("/dev", "bind", f"{bundle}/{layout.DEVICES}", ["rbind", *quiet]),
        _mount("/dev/pts", "devpts", "devpts", terminals),
        _mount("/dev/shm", "tmpfs", "shm", [*quiet, "mode=1777", f"size={shm_size}"]),
        _mount("/dev/mqueue", "mqueue", "mqueue", quiet),
        _mount("/sys", "bind", f"{bundle}/{layout.SYSTEM}", ["bind", "ro", *quiet]),
        _mount("/etc/hosts", "bind", f"{bundle}/{layout.HOSTS}", ["bind", "ro", *quiet]),
        _mount("/etc/resolv.conf", "bind", f"{bundle}/{layout.RESOLVER}", ["bind", "ro", *quiet]),
    ]


def _step_mounts(requests: Sequence[MountRequest], directory: str) -> list[Mount]:
    """The outer ones first, else they would hide those that lie in them."""
    numbered = sorted(enumerate(requests), key=lambda each: each[1]["path"].split("/"))
    return [_step_mount(request, f"{directory}/{number}") for number, request in numbered]


def _step_mount(request: MountRequest, source: str) -> Mount:
    options = ["nodev", *(() if request["writable"] else ("ro",))]
    if is_memory(request):
        size = [f"size={request['size']}"] if request["size"] else []
        return _mount(f"/{request['path']}", "tmpfs", "tmpfs", ["nosuid", *options, *size])
    return _mount(f"/{request['path']}", "bind", source, ["bind", *options])


def _secret_mounts(secrets: Sequence[SecretRequest], directory: str) -> list[Mount]:
    return [
        _mount(f"/{secret['path']}", "bind", f"{directory}/{number}", _secret_options(secret["mode"]))
        for number, secret in enumerate(secrets)
    ]


def _secret_options(mode: int) -> list[str]:
    return ["bind", "ro", "nosuid", "nodev", *(() if mode & 0o111 else ("noexec",))]


def _mount(destination: str, kind: str, source: str, options: list[str]) -> Mount:
    return Mount(destination=destination, type=kind, source=source, options=options)
