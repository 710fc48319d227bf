"""The system calls that a step may use.

The names live in seccomp.json. What is not named there fails with ENOSYS, so that programs built for newer
kernels fall back; what is known and dangerous fails with EPERM, as with Docker. The filter of an emulated
step applies to what the emulator calls, so the machine is always the host's.
Source: OCI runtime-spec, config-linux.md, "Seccomp"; the effect follows Docker's default profile.
"""

from __future__ import annotations

import errno
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

_FILE: Final = Path(__file__).with_name("seccomp.json")
# Flags of clone(2) that make a namespace, all but CLONE_NEWTIME, which shares its bits with the exit signal.
_NAMESPACE_FLAGS: Final = 0x7E02_0000
_AF_VSOCK: Final = 40

Rule = dict[str, object]


class _Policy(msgspec.Struct, frozen=True, kw_only=True):
    default_errno: int
    architectures: dict[str, tuple[str, ...]]
    machine: dict[str, tuple[str, ...]]
    personalities: tuple[int, ...]
    denied: tuple[str, ...]
    allowed: tuple[str, ...]


@cache
def profile(machine: str) -> Rule | None:
    """The `linux.seccomp` object for a host whose `uname -m` says `machine`.

    None for a machine that the policy does not know: a filter for the wrong architecture kills every program.
    """
    policy = msgspec.json.decode(_FILE.read_bytes(), type=_Policy)
    if machine not in policy.architectures:
        return None
    allowed = (*policy.allowed, *policy.machine.get(machine, ()))
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": policy.default_errno,
        "architectures": policy.architectures[machine],
        "syscalls": [
            {"names": allowed, "action": "SCMP_ACT_ALLOW"},
            {"names": policy.denied, "action": "SCMP_ACT_ERRNO", "errnoRet": errno.EPERM},
            _when("socket", "SCMP_CMP_NE", _AF_VSOCK),
            # On s390 the first two arguments of clone(2) change places.
            _when("clone", "SCMP_CMP_MASKED_EQ", _NAMESPACE_FLAGS, index=1 if machine == "s390x" else 0),
            *(_when("personality", "SCMP_CMP_EQ", value) for value in policy.personalities),
        ],
    }


def _when(name: str, comparison: str, value: int, *, index: int = 0) -> Rule:
    argument = {"index": index, "op": comparison, "value": value, "valueTwo": 0}
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [argument]}
