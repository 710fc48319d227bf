"""The /dev of a step: a few harmless devices of the host, on a file system where no other can be opened.

Made by ourselves instead of by the runtime: no device cgroup confines the step, so a node that it makes must
not lead anywhere. The devices are bound one by one, and only what is bound can be opened.
Source: OCI runtime-spec, config-linux.md, "Default Devices" and "Dev symbolic links".
"""

from __future__ import annotations

import os
from typing import Final

from builder.system.linux import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, mount

_NODES: Final = ("null", "zero", "full", "random", "urandom", "tty")
_MOUNT_POINTS: Final = ("pts", "shm", "mqueue")
_LINKS: Final = (
    ("core", "/proc/kcore"),
    ("fd", "/proc/self/fd"),
    ("ptmx", "pts/ptmx"),
    ("stderr", "/proc/self/fd/2"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
)


def mount_devices(target: str) -> None:
    """Mounts the tree on the directory `target`."""
    mount("tmpfs", target, "tmpfs", flags=MS_NOSUID | MS_NODEV | MS_NOEXEC, options="mode=755,size=64k")
    for name in _NODES:
        os.close(os.open(f"{target}/{name}", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o666))
        mount(f"/dev/{name}", f"{target}/{name}", flags=MS_BIND)
    for name in _MOUNT_POINTS:
        os.mkdir(f"{target}/{name}", 0o755)
    for name, meaning in _LINKS:
        os.symlink(meaning, f"{target}/{name}")
