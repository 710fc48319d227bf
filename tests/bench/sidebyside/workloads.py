"""The workloads: what is built, how, and how fast it should be beside BuildKit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import msgspec

from sidebyside import contexts

FOUR: Final = ("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x")


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table.

    `start`: `cold` with an empty state, `warm` after the same build, `fresh` after it but without cache.
    `change` alters the context before every measured run. `output` is `oci`, `cache` or `push`, to a registry that
    is empty unless it is `kept`. `pulled` bases come from a registry. `target` is the largest ratio to BuildKit
    that dockyard is to have. `base` is the image that ARG BASE stands for. `too_long_for` are builders that would
    need many minutes.
    """

    name: str
    dockerfile: str
    make: Callable[[Path], None] = contexts.small_project
    start: Literal["cold", "warm", "fresh"]
    output: Literal["oci", "cache", "push"] = "oci"
    compression: str = ""
    platforms: tuple[str, ...] = ()
    base: str = "busybox"
    change: bool = False
    pulled: bool = False
    kept: bool = False
    too_long_for: tuple[str, ...] = ()
    target: float


_HEAD: Final = "ARG BASE=busybox\nFROM ${BASE}"
_TWO_STAGES: Final = (
    f"{_HEAD} AS build\nCOPY . /src\nRUN cat /src/*.txt > /all\n"
    "ARG BASE=busybox\nFROM ${BASE}\nCOPY --from=build /all /all\nENV A=b\n"
)
_FIVE_RUNS: Final = (
    f"{_HEAD} AS build\nCOPY . /src\nRUN cat /src/*.txt > /all\nRUN wc /all > /count\nRUN true\n"
    "ARG BASE=busybox\nFROM ${BASE}\nCOPY --from=build /all /all\nRUN wc /all > /b\nRUN true\n"
)
_STAGES: Final = "".join(
    f"{_HEAD.splitlines()[1]} AS s{n}\nRUN sleep 0.2; echo {n} > /o\n" for n in range(16)
)
_SIXTEEN: Final = (
    "ARG BASE=busybox\n"
    + _STAGES
    + "FROM scratch\n"
    + "".join(f"COPY --from=s{n} /o /o{n}\n" for n in range(16))
)
_COPY: Final = "FROM scratch\nCOPY . /app\n"
_HOST: Final = (
    "ARG BASE=busybox\nFROM --platform=$BUILDPLATFORM ${BASE} AS build\nRUN sleep 0.5; echo x > /o\n"
    "FROM scratch\nCOPY --from=build /o /o\n"
)
_WRITING: Final = (
    f"{_HEAD}\nRUN mkdir /d && i=0; while [ $i -lt 2000 ]; do echo $i > /d/f$i; i=$((i+1)); done\n"
)


def copying_stages(count: int) -> str:
    """So many stages of three instructions; each copies from the one before, and holds two small files."""
    first = "FROM scratch AS s0\nCOPY module0.txt /before\nCOPY module1.txt /own\n"
    return first + "".join(
        f"FROM scratch AS s{n}\nCOPY --from=s{n - 1} /own /before\nCOPY module{n % 10}.txt /own\n"
        for n in range(1, count)
    )


WORKLOADS: Final = (
    Workload(name="two stages, all cached, to the cache only", dockerfile=_TWO_STAGES, start="warm",
             output="cache", target=0.9),
    Workload(name="two stages, all cached, to an OCI tar", dockerfile=_TWO_STAGES, start="warm", target=0.9),
    Workload(name="two stages, 5 RUNs, no cache", dockerfile=_FIVE_RUNS, start="fresh", output="cache", target=0.5),
    Workload(name="20 RUNs in a row, no cache", dockerfile=f"{_HEAD}\n" + "RUN true\n" * 20, start="fresh",
             output="cache", target=0.4),
    Workload(name="16 stages of 0.2 s, one COPY --from each", dockerfile=_SIXTEEN, start="fresh", output="cache",
             target=0.5),
    Workload(name="COPY of 20,000 files, cold", dockerfile=_COPY, make=contexts.many_files, start="cold", target=0.25),
    Workload(name="COPY of 20,000 files, nothing changed", dockerfile=_COPY, make=contexts.many_files, start="warm",
             target=0.35),
    Workload(name="COPY of 20,000 files, one changed", dockerfile=_COPY, make=contexts.many_files, start="warm",
             change=True, target=0.35),
    Workload(name="one file of 512 MB, gzip", dockerfile=_COPY, make=contexts.one_file, start="cold", target=0.2),
    Workload(name="one file of 512 MB, zstd", dockerfile=_COPY, make=contexts.one_file, start="cold",
             compression="zstd", target=0.45),
    Workload(name="COPY of 20,000 files for four platforms", dockerfile=_COPY, make=contexts.many_files, start="cold",
             platforms=FOUR, target=0.25),
    Workload(name="one native RUN of 0.5 s for four platforms", dockerfile=_HOST, start="fresh", platforms=FOUR,
             target=0.8),
    Workload(name="three RUNs on linux/arm64 under QEMU", dockerfile=f"{_HEAD}\n" + "RUN uname -m\n" * 3, start="fresh",
             output="cache", platforms=("linux/arm64",), target=0.9),
    Workload(name="pull a Debian base of 170 MB, RUN writes 2,000 files", dockerfile=_WRITING, start="cold",
             output="cache", base="debian", pulled=True, target=0.6),
    Workload(name="the same, base present, no cache", dockerfile=_WRITING, start="fresh", output="cache",
             base="debian", pulled=True, target=0.8),
    Workload(name="push of a 512 MB image", dockerfile=_COPY, make=contexts.one_file, start="warm", output="push",
             target=1.0),
    Workload(name="the same push again", dockerfile=_COPY, make=contexts.one_file, start="warm", output="push",
             kept=True, target=1.0),
    Workload(name="1,000 stages, 3,000 instructions, cached", dockerfile=copying_stages(1000), start="warm",
             output="cache", too_long_for=("buildah",), target=1.0),
    Workload(name="100 COPY layers", dockerfile="FROM scratch\n" + "".join(f"COPY file{n} /\n" for n in range(100)),
             make=contexts.hundred_files, start="cold", target=0.3),
)  # fmt: skip
