"""Which emulator a step of a foreign platform needs, and how the kernel is told.

The emulator is registered in a binfmt_misc of the step's own user namespace, which Linux has since 6.7, so the
host's registrations stay as they are. If the host itself already has one that works inside containers (flag
F: the kernel holds the emulator open), there is nothing to do. The lines come from the files that the
distribution's emulator package brings; they are found by the ELF header they match, not by their names.
Source: Documentation/admin-guide/binfmt-misc.rst of Linux; binfmt.d(5); elf(5).
"""

from __future__ import annotations

import os
import re
import struct
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from builder.executor.errors import ExecutorError
from builder.platforms import Platform, host_platform
from builder.system.linux import kernel_version, runs_32bit_programs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PRIVATE_BINFMT_KERNEL: Final = (6, 7)
# What an administrator wrote comes before what a package brought.
BINFMT_DIRECTORIES: Final = tuple(map(Path, ("/etc/binfmt.d", "/run/binfmt.d", "/usr/lib/binfmt.d")))
HOST_REGISTRATIONS: Final = Path("/proc/sys/fs/binfmt_misc")

# F: found at registration, so the image need not hold it. C: set-uid programs keep working, as they do natively.
_WANTED_FLAGS: Final = "FC"
_ESCAPE: Final = re.compile(rb"\\x([0-9A-Fa-f]{2})")


class _Elf(NamedTuple):
    bits: int
    order: str
    machine: int

    def header(self) -> bytes:
        """The first 20 bytes of an executable for this machine."""
        ident = b"\x7fELF" + bytes((self.bits // 32, 1 if self.order == "<" else 2, 1))
        return ident.ljust(16, b"\0") + struct.pack(f"{self.order}HH", 2, self.machine)


_ELF: Final = {
    "386": _Elf(32, "<", 3),
    "amd64": _Elf(64, "<", 62),
    "arm": _Elf(32, "<", 40),
    "arm64": _Elf(64, "<", 183),
    "loong64": _Elf(64, "<", 258),
    "mips64": _Elf(64, ">", 8),
    "mips64le": _Elf(64, "<", 8),
    "ppc64": _Elf(64, ">", 21),
    "ppc64le": _Elf(64, "<", 21),
    "riscv64": _Elf(64, "<", 243),
    "s390x": _Elf(64, ">", 22),
}
EMULATED_ARCHITECTURES: Final = tuple(_ELF)


class Registration(NamedTuple):
    """A rule by which the kernel gives executables to `interpreter`: bytes under `mask` equal to `magic`."""

    name: str
    magic: bytes
    mask: bytes
    interpreter: str
    flags: str

    def matches(self, header: bytes) -> bool:
        """Whether a program that begins with `header` is run by this interpreter."""
        size = min(len(header), len(self.magic))
        pairs = zip(header[:size], self.magic[:size], self.mask[:size], strict=True)
        return size >= 20 and all(byte & mask == magic & mask for byte, magic, mask in pairs)

    def line(self) -> str:
        """The text for `register`, with the flags that a container needs."""
        flags = "".join(sorted({*self.flags, *_WANTED_FLAGS}))
        return f":{self.name}:M::{_escaped(self.magic)}:{_escaped(self.mask)}:{self.interpreter}:{flags}"


def runs_natively(platform: Platform, host: Platform) -> bool:
    """Whether `host` runs programs of `platform` by itself."""
    if platform.architecture == host.architecture:
        return True
    family = (host.architecture, platform.architecture)
    return family == ("amd64", "386") or (family == ("arm64", "arm") and runs_32bit_programs())


@cache
def find_emulation(platform: Platform) -> str | None:
    """The line to register so that a step for `platform` runs here; None when nothing needs to be done.

    Raises: ExecutorError, naming the remedy, when this machine cannot run it.
    """
    host = host_platform()
    if runs_natively(platform, host):
        return None
    if platform.architecture not in _ELF:
        raise ExecutorError(f"no emulator is known for {platform} on a {host} machine")
    if is_registered_on_host(platform.architecture):
        return None
    line = emulator_line(platform.architecture)
    if kernel_version() < PRIVATE_BINFMT_KERNEL:
        raise ExecutorError(
            f"Linux {os.uname().release} cannot register the emulator for {platform} privately",
            hint="use Linux 6.7 or newer, or register the emulators on the host with systemd-binfmt",
        )
    return line


def is_registered_on_host(architecture: str) -> bool:
    """Whether the host runs programs of `architecture`, one of EMULATED_ARCHITECTURES, also in containers."""
    header = _ELF[architecture].header()
    return any("F" in each.flags and each.matches(header) for each in host_registrations())


def emulator_line(architecture: str) -> str:
    """What to register for programs of `architecture`, one of EMULATED_ARCHITECTURES.

    Raises: ExecutorError when no emulator is installed.
    """
    found = find_registration(_ELF[architecture].header(), packaged_registrations())
    if found is None:
        raise ExecutorError(
            f"this machine has no emulator for linux/{architecture}",
            hint="install QEMU's user emulators: apt-get install qemu-user-static",
        )
    return found.line()


def has_emulator(architecture: str) -> bool:
    """Whether an emulator for `architecture`, one of EMULATED_ARCHITECTURES, is installed or registered."""
    if is_registered_on_host(architecture):
        return True
    return find_registration(_ELF[architecture].header(), packaged_registrations()) is not None


def find_registration(header: bytes, registrations: Iterable[Registration]) -> Registration | None:
    """The first of `registrations` that runs programs with `header` and whose interpreter is installed."""
    for each in registrations:
        if each.matches(header) and Path(each.interpreter).exists():
            return each
    return None


def packaged_registrations(directories: Iterable[Path] = BINFMT_DIRECTORIES) -> Iterator[Registration]:
    """What the files in binfmt.d directories would register; lines that are not understood are left out."""
    for directory in directories:
        for path in sorted(directory.glob("*.conf")):
            for line in path.read_bytes().splitlines():
                found = parse_line(line.strip())
                if found is not None:
                    yield found


def parse_line(line: bytes) -> Registration | None:
    """A line `:name:M:offset:magic:mask:interpreter:flags`; None for comments and for other kinds of rule."""
    if not line or line[:1] in b"#;":
        return None
    fields = line[1:].split(line[:1])
    if len(fields) != 7 or fields[1] != b"M" or fields[2] not in (b"", b"0"):
        return None
    name, _, _, magic_text, mask_text, interpreter, flags = fields
    magic = _unescaped(magic_text)
    mask = _unescaped(mask_text) or b"\xff" * len(magic)
    if len(mask) != len(magic):
        return None
    return Registration(
        name.decode("utf-8", "replace"),
        magic,
        mask,
        interpreter.decode("utf-8", "replace"),
        flags.decode("ascii", "replace"),
    )


def host_registrations(directory: Path = HOST_REGISTRATIONS) -> Iterator[Registration]:
    """What is registered and enabled on the host."""
    for path in sorted(directory.glob("*")):
        if path.name not in ("register", "status"):
            found = parse_registered(path.name, path.read_text("utf-8", "replace"))
            if found is not None:
                yield found


def parse_registered(name: str, text: str) -> Registration | None:
    """A registration as the kernel shows it; None when it is disabled or does not look at the first bytes."""
    lines = text.splitlines()
    facts = {key.rstrip(":"): value for key, _, value in (line.partition(" ") for line in lines[1:])}
    if lines[:1] != ["enabled"] or facts.get("offset") != "0" or "magic" not in facts:
        return None
    magic = bytes.fromhex(facts["magic"])
    mask = bytes.fromhex(facts["mask"]) if "mask" in facts else b"\xff" * len(magic)
    return Registration(name, magic, mask, facts.get("interpreter", ""), facts.get("flags", ""))


def _unescaped(text: bytes) -> bytes:
    return _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), text)


def _escaped(raw: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in raw)
