"""A containerd daemon of the tests' own: the machine's, or a newer one from a root file system beside it.

It listens on a socket in a short-lived folder and lives in a mount namespace of its own, so that it leaves
nothing on the machine. When the tests die, it ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from builder.store.containerd.address import Address

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE: Final = 20.0
"""Seconds for a daemon to listen, or to end."""

# Shims have their sockets below /run, whatever the configuration says.
_START: Final = """
set -eu
folder=$1 root=$2
if [ "$root" != / ]; then
    mkdir "$folder/upper" "$folder/work" "$folder/rootfs"
    mount -t overlay -o "lowerdir=$root,upperdir=$folder/upper,workdir=$folder/work" overlay "$folder/rootfs"
    root=$folder/rootfs
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mkdir -p "$root$folder/shared"
    mount --bind "$folder/shared" "$root$folder/shared"
fi
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
exec chroot "$root" containerd --config "$folder/shared/config.toml"
"""
_IN_NAMESPACES: Final = (
    "unshare",
    "--mount",
    "--propagation=private",
    "--pid",
    "--fork",
    "--kill-child=KILL",
)
# Beside being slow to start, these want what a test bed may not have: networks, a second disk, a kernel module.
_UNWANTED: Final = (
    "io.containerd.grpc.v1.cri",
    "io.containerd.cri.v1.runtime",
    "io.containerd.cri.v1.images",
    "io.containerd.podsandbox.controller.v1.podsandbox",
    "io.containerd.nri.v1.nri",
    "io.containerd.internal.v1.opt",
    "io.containerd.internal.v1.tracing",
    "io.containerd.tracing.processor.v1.otlp",
    *(f"io.containerd.snapshotter.v1.{name}" for name in ("aufs", "btrfs", "devmapper", "zfs", "blockfile")),
)


class Daemon:
    """A daemon that listens. `pid` is its process."""

    def __init__(self, folder: Path, root: Path, *, pid: int) -> None:
        self.pid = pid
        self.socket = folder / "shared" / "socket"
        self._root = root if root == Path("/") else folder / "rootfs"

    def address(self, namespace: str = "default") -> Address:
        return Address(str(self.socket), namespace)

    def ctr(self, *arguments: str | Path, namespace: str = "default") -> str:
        """What containerd's own client answers."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "chroot", self._root]
        client = ["ctr", "--address", self.socket, "--namespace", namespace]
        done = subprocess.run(
            [*enter, *client, *arguments], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    def kill(self) -> None:
        """Ends it, as a crash would."""
        os.kill(self.pid, signal.SIGKILL)


def is_installed() -> bool:
    return shutil.which("containerd") is not None and shutil.which("ctr") is not None


@contextmanager
def containerd(root: Path = Path("/")) -> Iterator[Daemon]:
    """A daemon for the length of the block; `root` is the root file system that has its programs."""
    # Of its own, because a socket's path may have 107 bytes, and pytest's folders are deep.
    with tempfile.TemporaryDirectory(prefix="dockyard-containerd-", dir="/var/tmp") as name:
        folder = Path(name)
        (folder / "shared").mkdir()
        (folder / "shared" / "config.toml").write_text(_config(folder / "shared"))
        with (folder / "log").open("wb") as log:
            outside = subprocess.Popen(
                [*_IN_NAMESPACES, "sh", "-c", _START, "sh", folder, root],
                stdout=log,
                stderr=log,
            )
        try:
            yield Daemon(folder, root, pid=_await_daemon(outside, folder / "log"))
        finally:
            _end(outside)


def _config(folder: Path) -> str:
    disabled = ", ".join(f'"{plugin}"' for plugin in _UNWANTED)
    return (
        "version = 2\n"
        f'root = "{folder}/root"\nstate = "{folder}/state"\n'
        f"disabled_plugins = [{disabled}]\n"
        f'[grpc]\naddress = "{folder}/socket"\n[ttrpc]\naddress = "{folder}/socket.ttrpc"\n'
    )


def _await_daemon(outside: subprocess.Popen[bytes], log: Path) -> int:
    end = time.monotonic() + _PATIENCE
    while b"containerd successfully booted" not in log.read_bytes():
        if outside.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"containerd does not start:\n{log.read_text()}")
        time.sleep(0.01)
    return _children(outside)[0]


def _end(outside: subprocess.Popen[bytes]) -> None:
    # The first process of its namespace: when it is gone, all others are, and nobody writes to the folder.
    for child in _children(outside):
        os.kill(child, signal.SIGKILL)
    try:
        outside.wait(_PATIENCE)
    finally:
        outside.kill()


def _children(outside: subprocess.Popen[bytes]) -> list[int]:
    try:
        listed = Path(f"/proc/{outside.pid}/task/{outside.pid}/children").read_text()
    except FileNotFoundError:
        return []
    return list(map(int, listed.split()))
