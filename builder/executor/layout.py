"""Where things lie in the supervisor's private world, told once for both sides of the socket.

Everything is on memory file systems that only the supervisor and its steps see. Every step mounts a fresh one
on the same directory, in a mount namespace of its own, so no name is ever shared or left behind.
"""

from __future__ import annotations

from typing import Final

# In the run directory.
STEP: Final = "step"
NETWORK: Final = "network"
LOGS: Final = "logs"
# Shared by all steps: crun keeps the compiled system call filter here, which takes it longer than all the rest.
STATE: Final = "state"

# In the step's directory, which is the bundle of the OCI runtime.
ROOT: Final = "rootfs"
DEVICES: Final = "dev"
NODES: Final = "nodes"
SYSTEM: Final = "sys"
HOSTS: Final = "hosts"
RESOLVER: Final = "resolv.conf"
STUBS: Final = "stubs"
VIEW: Final = "view"
NOTHING: Final = "nothing"
SCRATCH: Final = "scratch"
SECRETS: Final = "secrets"
MOUNTS: Final = "mounts"


def log_file(run_dir: str, name: str) -> str:
    """Where the runtime of the step `name`, or the maker of the network, writes what went wrong."""
    return f"{run_dir}/{LOGS}/{name}"
