"""Capabilities of a step's processes: those that Docker gives to containers, or all that there are to give."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from builder.graph import Security

# In the order of their numbers. Source: include/uapi/linux/capability.h.
_NAMES: Final = tuple(
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT "
    "SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL "
    "SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF "
    "CHECKPOINT_RESTORE".split()
)
_DOCKERS: Final = frozenset(
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP "
    "SETUID SYS_CHROOT".split()
)
_BOUNDING: Final = re.compile(r"^CapBnd:\s*([0-9a-f]+)$", re.MULTILINE)


def capabilities(security: Security) -> tuple[str, ...]:
    """The names for a runtime spec. A step that is `insecure` gets all that this process may pass on."""
    if security == "sandbox":
        return tuple(f"CAP_{name}" for name in sorted(_DOCKERS))
    matched = _BOUNDING.search(Path("/proc/self/status").read_text(encoding="ascii"))
    held = int(matched[1], 16) if matched else 0
    return tuple(f"CAP_{name}" for number, name in enumerate(_NAMES) if held >> number & 1)
