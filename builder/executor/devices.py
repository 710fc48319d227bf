"""The /dev of a step: a few harmless devices, on a file system where no other can be opened.

Made by ourselves instead of by the runtime: no device cgroup confines the step, so a node that it makes must
not lead anywhere. The nodes are the step's own, since it may change their owner and mode, and they are bound
one by one from a place that it cannot reach: only what is bound can be opened.
Source: OCI runtime-spec, config-linux.md, "Default Devices" and "Dev symbolic links".
"""

from __future__ import annotations

import os
import stat
from typing import Final

from builder.system.linux import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, mount

# Major and minor numbers. Source: Documentation/admin-guide/devices.txt of Linux.
_NODES: Final = (
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
)
# What BuildKit shows an insecure step besides, where the host has it, and the first loop devices.
_INSECURE: Final = ("kmsg", "fuse", "cuse", "kvm", "loop-control", "net/tun", *(f"loop{n}" for n in range(8)))
_MOUNT_POINTS: Final = ("pts", "shm", "mqueue")
_LINKS: Final = (
    ("core", "/proc/kcore"),
    ("fd", "/proc/self/fd"),
    ("ptmx", "pts/ptmx"),
    ("stderr", "/proc/self/fd/2"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
)


def mount_devices(target: str, nodes: str, *, insecure: bool = False) -> None:
    """Mounts the tree on the directory `target`; the nodes themselves are made in the directory `nodes`.

    An `insecure` step gets devices of the host as well.
    """
    mount("tmpfs", nodes, "tmpfs", flags=MS_NOSUID | MS_NOEXEC, options="mode=755,size=64k")
    mount("tmpfs", target, "tmpfs", flags=MS_NOSUID | MS_NODEV | MS_NOEXEC, options="mode=755,size=64k")
    for name, major, minor in _NODES:
        node = f"{nodes}/{name}"
        os.mknod(node, stat.S_IFCHR, os.makedev(major, minor))
        # Apart from mknod, whose mode the umask would cut.
        os.chmod(node, 0o666)
        _show(node, f"{target}/{name}")
    for name in _INSECURE if insecure else ():
        if os.path.exists(f"/dev/{name}"):
            os.makedirs(os.path.dirname(f"{target}/{name}"), 0o755, exist_ok=True)
            _show(f"/dev/{name}", f"{target}/{name}")
    for name in _MOUNT_POINTS:
        os.mkdir(f"{target}/{name}", 0o755)
    for name, meaning in _LINKS:
        os.symlink(meaning, f"{target}/{name}")


def _show(node: str, place: str) -> None:
    os.close(os.open(place, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o666))
    mount(node, place, flags=MS_BIND)
