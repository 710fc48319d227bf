"""Platforms: parse, normalise, format, match.

Two spellings of one platform must never become two builds, so text becomes a `Platform` in its normal form
at the edge and is compared by value from there on.
Source: OCI image-spec, image-index.md, "platform"; containerd's platforms package for aliases and order.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

import msgspec

from builder.system.errors import UsageError
from builder.system.quoting import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PART: Final = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_OS_PART: Final = re.compile(r"([A-Za-z0-9_.-]+)(?:\(([A-Za-z0-9_.%-]*)\))?", re.ASCII)

_KNOWN_OS: Final = frozenset(
    "aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris "
    "windows zos".split()
)
_KNOWN_ARCHITECTURES: Final = frozenset(
    "386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le "
    "ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm".split()
)
_OS_ALIASES: Final = {"macos": "darwin"}
_ARCHITECTURE_ALIASES: Final = {
    "i386": ("386", ""),
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}
_VARIANT_ALIASES: Final = {
    ("amd64", "v1"): "",
    ("arm64", "8"): "",
    ("arm64", "v8"): "",
    ("arm64", "v8.0"): "",
    ("arm64", "9"): "v9",
    ("arm64", "9.0"): "v9",
    ("arm64", "v9.0"): "v9",
    ("arm", ""): "v7",
    ("arm", "5"): "v5",
    ("arm", "6"): "v6",
    ("arm", "7"): "v7",
    ("arm", "8"): "v8",
}
_MACHINES: Final = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "i686": "386",
    "ppc64le": "ppc64le",
    "riscv64": "riscv64",
    "s390x": "s390x",
    "loongarch64": "loong64",
}


class InvalidPlatform(UsageError):
    """Text that names no platform."""


class Platform(msgspec.Struct, frozen=True, order=True):
    """What a program was compiled for. Compare only normalised values."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    def normalized(self) -> Platform:
        """The one spelling of this platform."""
        system = _OS_ALIASES.get(self.os.lower(), self.os.lower())
        architecture, variant = self.architecture.lower(), self.variant.lower()
        if architecture in _ARCHITECTURE_ALIASES:
            architecture, implied = _ARCHITECTURE_ALIASES[architecture]
            variant = variant or implied
        variant = _VARIANT_ALIASES.get((architecture, variant), variant)
        return Platform(system, architecture, variant, self.os_version)

    def __str__(self) -> str:
        return "/".join(part for part in (self.os or "unknown", self.architecture, self.variant) if part)


def parse_platform(text: str, *, host: Platform | None = None) -> Platform:
    """The platform that `text` names, normalised.

    `os[(version)][/arch[/variant]]`, or one known OS or architecture. What `text` leaves out is taken from
    `host` (default: this machine).
    Raises: InvalidPlatform.
    """
    parts = text.split("/")
    if "*" in text:
        raise InvalidPlatform(f"{quote(text)}: wildcards not yet supported: invalid argument")
    if len(parts) > 3:
        raise InvalidPlatform(f"{quote(text)}: cannot parse platform specifier: invalid argument")
    system, version = _parse_os(parts[0], text)
    for part in parts[1:]:
        if not _PART.fullmatch(part):
            raise InvalidPlatform(
                f"{quote(part)} is an invalid component of {quote(text)}: "
                f"platform specifier component must match {quote(_PART.pattern)}"
            )
    if len(parts) == 1:
        return _parse_single(system, version, text, host or host_platform())
    return Platform(system, parts[1], parts[2] if len(parts) == 3 else "", version).normalized()


def _parse_os(part: str, text: str) -> tuple[str, str]:
    matched = _OS_PART.fullmatch(part)
    if matched is None:
        raise InvalidPlatform(
            f"{quote(part)} is an invalid OS component of {quote(text)}: "
            f"OSAndVersion specifier component must match {quote(_PART.pattern)}"
        )
    return matched[1], (matched[2] or "").split("+")[0]


def _parse_single(name: str, version: str, text: str, host: Platform) -> Platform:
    lowered = _OS_ALIASES.get(name.lower(), name.lower())
    if lowered in _KNOWN_OS:
        variant = host.variant if host.architecture == "arm" and host.variant != "v7" else ""
        return Platform(lowered, host.architecture, variant, version).normalized()
    if _ARCHITECTURE_ALIASES.get(lowered, (lowered, ""))[0] in _KNOWN_ARCHITECTURES:
        return Platform(host.os, lowered).normalized()
    raise InvalidPlatform(f"{quote(text)}: unknown operating system or architecture: invalid argument")


def parse_platforms(texts: Iterable[str]) -> tuple[Platform, ...]:
    """Platforms of comma-separated lists, each once, in the order of their first mention.

    Raises: InvalidPlatform.
    """
    names = (name.strip() for text in texts for name in text.split(","))
    host = host_platform()
    return tuple(dict.fromkeys(host if name == "local" else parse_platform(name) for name in names if name))


def host_platform() -> Platform:
    """The platform of this machine."""
    machine = os.uname().machine
    return Platform("linux", _MACHINES.get(machine, machine)).normalized()


def best_match(wanted: Platform, offered: Sequence[Platform]) -> int | None:
    """Position of the first of `offered` that is `wanted` itself; None when there is none.

    Building takes no fall-backs: a 386 image under the name of amd64 would be a surprise in every later step.
    """
    wanted = wanted.normalized()
    for position, candidate in enumerate(offered):
        normal = candidate.normalized()
        if (normal.os, normal.architecture, normal.variant) == (
            wanted.os,
            wanted.architecture,
            wanted.variant,
        ):
            return position
    return None
