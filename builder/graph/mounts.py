"""What a command sees beside its own file system, and leaves no trace of in its layer.

Each is a frozen value with an absolute, cleaned `target`. Inputs are positions among those of the vertex; None
is an empty file system. `source` is an absolute path inside of the input.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Sharing: TypeAlias = Literal["shared", "private", "locked"]


class BindMount(msgspec.Struct, frozen=True, kw_only=True, tag="bind"):
    """Files of an input. What is written to a `writable` one is thrown away after the step."""

    input: int | None
    target: str
    source: str = "/"
    writable: bool = False


class TmpfsMount(msgspec.Struct, frozen=True, kw_only=True, tag="tmpfs"):
    """An empty file system in memory; `size` in bytes, 0 for the kernel's own limit."""

    target: str
    size: int = 0
    read_only: bool = False


class CacheMount(msgspec.Struct, frozen=True, kw_only=True, tag="cache"):
    """A directory that survives the build, found again by its `id`.

    A new one is made with `mode`, `uid` and `gid`, or holds what `source` names in `input`. With neither, the
    directory `source` of the cache itself is shown. `sharing`: all use one at once; or a second user at the
    same time gets one of its own; or waits.
    """

    id: str
    target: str
    input: int | None = None
    source: str = "/"
    sharing: Sharing = "shared"
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    read_only: bool = False


class SshMount(msgspec.Struct, frozen=True, kw_only=True, tag="ssh"):
    """A socket at which an SSH agent of the caller answers; `id` names the agent.

    One that the caller does not have is no socket, or, if it is `required`, an error.
    """

    id: str
    target: str
    mode: int = 0o600
    uid: int = 0
    gid: int = 0
    required: bool = False


Mount: TypeAlias = BindMount | TmpfsMount | CacheMount | SshMount
