"""What the caller may choose about a conversion; the names follow BuildKit's frontend options."""

from __future__ import annotations

import msgspec

from builder.graph import Network, Vertex
from builder.platforms import Platform


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Options of one conversion.

    `filename` is what errors and progress call the Dockerfile. No `platforms` means one, the build platform.
    `no_cache`: True for all stages, or the names of some, in any case. `context_exclude` are the cleaned
    patterns of the ignore file. `context` makes the files of the main context; None: it is a directory of the
    caller, called `context`. `context_epoch` is its time in seconds since the epoch, where it has one.
    `shm_size` in bytes, 0 for the executor's default; `ulimits` as (name, soft, hard); `extra_hosts` as
    (name, address). `all_stages`: those that the target does not need, too, which is for checks.
    """

    filename: str = "Dockerfile"
    target: str = ""
    platforms: tuple[Platform, ...] = ()
    build_platform: Platform
    build_args: dict[str, str] = {}
    labels: dict[str, str] = {}
    no_cache: bool | tuple[str, ...] = False
    network: Network = "default"
    extra_hosts: tuple[tuple[str, str], ...] = ()
    shm_size: int = 0
    ulimits: tuple[tuple[str, int, int], ...] = ()
    cgroup_parent: str = ""
    hostname: str = ""
    context_exclude: tuple[str, ...] = ()
    context: Vertex | None = None
    context_epoch: int | None = None
    all_stages: bool = False
