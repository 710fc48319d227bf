"""QEMU registered with this machine's kernel, for builders that need that; taken back in the end."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from builder.executor.emulation import HOST_REGISTRATIONS, emulator_line, is_registered_on_host
from builder.system.linux import mount, unmount

if TYPE_CHECKING:
    from collections.abc import Iterator

ARCHITECTURE: Final = "arm64"
_REMOVE: Final = "-1"


@contextmanager
def registered_emulator() -> Iterator[None]:
    """The whole machine runs programs for `ARCHITECTURE` inside the block; nothing changes where it does anyway.

    The mount is in this process's own mount namespace, and with its last mount the kernel forgets the registration:
    a killed process leaves nothing. Needs root. Raises: OSError, ExecutorError when no emulator is installed.
    """
    if is_registered_on_host(ARCHITECTURE):
        yield
        return
    line = emulator_line(ARCHITECTURE)
    mounted = not (HOST_REGISTRATIONS / "register").exists()
    if mounted:
        mount("binfmt_misc", str(HOST_REGISTRATIONS), "binfmt_misc")
    try:
        (HOST_REGISTRATIONS / "register").write_text(line, "ascii")
        try:
            yield
        finally:
            (HOST_REGISTRATIONS / line.split(":")[1]).write_text(_REMOVE, "ascii")
    finally:
        if mounted:
            unmount(str(HOST_REGISTRATIONS))
