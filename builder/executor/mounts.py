"""Mounts that a step asked for: files of other stages and of the caller, caches, memory, sockets.

Everything is put together on the step's own memory file system, in its own mount namespace, before the runtime
starts: overlays, so that no write reaches what they show, whatever the step may remount; and a bind of the one
path in them that is wanted. Paths are opened once, inside their root, and mounted by that descriptor: a link
leads nowhere else, and a name that changes meanwhile changes nothing (CVE-2024-23651, CVE-2024-1753,
CVE-2024-11218).
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypedDict

from builder.executor import layout, overlay
from builder.executor.errors import ExecutorError
from builder.system.linux import MS_BIND, RESOLVE_IN_ROOT, mount, open_beneath

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class FilesMount(NamedTuple):
    """Files at the absolute path `target`: `source`, relative, in the trees or in `directory`.

    `trees` are names in the trees directory, topmost first. What is written to a `writable` one is lost.
    """

    target: str
    trees: tuple[str, ...] = ()
    directory: Path | None = None
    source: str = ""
    writable: bool = False


class KeptMount(NamedTuple):
    """What `source`, relative, is in `directory`, shown as it is: what is written stays there."""

    target: str
    directory: Path
    source: str = ""
    writable: bool = True


class MemoryMount(NamedTuple):
    """An empty file system in memory; `size` in bytes, 0 for half of the machine's."""

    target: str
    size: int = 0
    writable: bool = True


StepMount: TypeAlias = FilesMount | KeptMount | MemoryMount


class MountRequest(TypedDict):
    """A mount on its way to the supervisor; `path` is relative to the container's root.

    `kept`: `directory` itself is mounted. Without `trees` and `directory` it is a memory file system.
    """

    path: str
    trees: Sequence[str] | None
    directory: str | None
    source: str
    writable: bool
    kept: bool
    size: int


class MountPoint(NamedTuple):
    """Where the container mounts something; `path` is relative to its root."""

    path: str
    is_directory: bool


def mount_request(wanted: StepMount) -> MountRequest:
    """Raises: ExecutorError for a target that is not below the root."""
    parts = wanted.target.split("/")
    if not wanted.target.startswith("/") or not any(parts) or ".." in parts:
        raise ExecutorError(f'invalid mount target "{wanted.target}"')
    size = wanted.size if isinstance(wanted, MemoryMount) else 0
    return MountRequest(
        path="/".join(part for part in parts if part not in ("", ".")),
        trees=wanted.trees if isinstance(wanted, FilesMount) else None,
        directory=_directory(wanted),
        source="" if isinstance(wanted, MemoryMount) else wanted.source.strip("/"),
        writable=wanted.writable,
        kept=isinstance(wanted, KeptMount),
        size=size,
    )


def _directory(wanted: StepMount) -> str | None:
    if isinstance(wanted, MemoryMount) or wanted.directory is None:
        return None
    return str(wanted.directory.resolve())


def is_memory(request: MountRequest) -> bool:
    """Whether it is a file system in memory, which the runtime makes by itself."""
    return request["trees"] is None and request["directory"] is None


def prepare_mounts(requests: Sequence[MountRequest], trees_dir: str, step: str) -> list[MountPoint]:
    """Makes what the runtime will bind, in the step's directory, numbered as the requests are.

    Raises: ExecutorError for a source that is not there; OSError.
    """
    place = f"{step}/{layout.MOUNTS}"
    os.mkdir(place, 0o700)
    points = []
    for number, request in enumerate(requests):
        directory = is_memory(request) or _prepare(request, trees_dir, f"{place}/{number}")
        points.append(MountPoint(request["path"], is_directory=directory))
    return points


def _prepare(request: MountRequest, trees_dir: str, place: str) -> bool:
    """Binds the source at `place`; says whether it is a directory."""
    root = _open_kept(request) if request["kept"] else _open_overlay(request, trees_dir, place)
    try:
        source = open_beneath(root, request["source"] or ".", os.O_PATH, resolve=RESOLVE_IN_ROOT)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV):
            raise
        raise ExecutorError(
            f'the source of the mount /{request["path"]} is not there: "/{request["source"]}": not found'
        ) from error
    directory = stat.S_ISDIR(os.fstat(source).st_mode)
    if directory:
        os.mkdir(place, 0o700)
    else:
        os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    mount(f"/proc/self/fd/{source}", place, flags=MS_BIND)
    os.close(source)
    os.close(root)
    return directory


def _open_kept(request: MountRequest) -> int:
    assert request["directory"] is not None
    return overlay.open_directory(request["directory"])


def _open_overlay(request: MountRequest, trees_dir: str, place: str) -> int:
    top, below, root = f"{place}.top", f"{place}.below", f"{place}.root"
    for path in (top, below, root):
        os.mkdir(path, 0o755)
    lower = overlay.open_trees(trees_dir, request["trees"] or ())
    if request["directory"] is not None:
        lower.append(overlay.open_directory(request["directory"]))
    if lower:
        overlay.copy_attributes(f"/proc/self/fd/{lower[0]}/.", top)
    lower.append(overlay.open_directory(below))
    if request["writable"]:
        work = f"{place}.work"
        os.mkdir(work, 0o700)
        handles = [overlay.open_directory(top), overlay.open_directory(work)]
        overlay.mount_writable(root, lower, upper=handles[0], work=handles[1])
    else:
        handles = [overlay.open_directory(top)]
        overlay.mount_lower(root, (*handles, *lower))
    for handle in (*handles, *lower):
        os.close(handle)
    return overlay.open_directory(root)
