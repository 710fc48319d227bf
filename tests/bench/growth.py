"""How the cost grows with the size of what is built: stages, layers, files, platforms, bytes.

    PYTHONPATH=tests/bench:. .venv/bin/python tests/bench/growth.py [SERIES...]

Every point is the whole command on a state root of its own, on a journaled file system. Plotted is CPU time, which
other load on the machine hardly moves, beside wall time, and the largest memory of all its processes together.
Results go to docs/performance/growth.json and a plot for each series; a series that is not named keeps what it had.
"""

from __future__ import annotations

import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from sidebyside.contexts import small_project
from sidebyside.disk import measured_disk
from sidebyside.measure import measure
from sidebyside.workloads import copying_stages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_RESULTS: Final = Path("docs/performance")
_COMMAND: Final = Path(sys.executable).with_name("dockyard")
_PLATFORMS: Final = (
    "amd64 arm64 arm/v7 arm/v6 arm/v5 386 s390x ppc64le riscv64 mips64le mips64 mipsle mips loong64 ppc64 sparc64"
).split()
_FILE: Final = 600
_MEGABYTE: Final = 1 << 20


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One build of size `n`: seconds of CPU and of wall time, peak of resident bytes, first and repeated."""

    n: int
    cpu: float
    wall: float
    peak: int
    again_cpu: float
    again_wall: float


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """What grows: `make` writes a context of size n, and returns the options of the build."""

    name: str
    unit: str
    sizes: tuple[int, ...]
    make: Callable[[Path, int], tuple[str, ...]]


def _side_by_side(context: Path, n: int) -> tuple[str, ...]:
    """`n` stages of three instructions that need nothing of each other, and one that copies from each."""
    (context / "file").write_text("x")
    stages = [
        f"FROM scratch AS s{each}\nCOPY file /f{each}\nLABEL n={each}\nWORKDIR /d{each}\n"
        for each in range(n)
    ]
    # No stage of a thousand layers: copies in one instruction each would make one.
    groups = [
        f"FROM scratch AS g{start}\n"
        + "".join(f"COPY --from=s{each} / /\n" for each in range(start, min(n, start + 100)))
        for start in range(0, n, 100)
    ]
    last = "FROM scratch\n" + "".join(f"COPY --from=g{start} / /\n" for start in range(0, n, 100))
    (context / "Dockerfile").write_text("".join((*stages, *groups, last)))
    return ()


def _chained(context: Path, n: int) -> tuple[str, ...]:
    """`n` stages of three instructions, each on top of the one before: as many layers in one stack."""
    (context / "file").write_text("x")
    stages = [
        f"FROM {'scratch' if each == 0 else f's{each - 1}'} AS s{each}\nCOPY file /f{each}\nLABEL n={each}\n"
        for each in range(n)
    ]
    (context / "Dockerfile").write_text("".join(stages))
    return ()


def _copying(context: Path, n: int) -> tuple[str, ...]:
    """`n` stages of three instructions, each with a file of the one before."""
    small_project(context)
    (context / "Dockerfile").write_text(copying_stages(n))
    return ()


def _layers(context: Path, n: int) -> tuple[str, ...]:
    """`n` RUNs in a row, each on all layers before it."""
    (context / "Dockerfile").write_text(
        "FROM busybox\n" + "".join(f"RUN echo {each} > /f{each}\n" for each in range(n))
    )
    return ()


def _files(context: Path, n: int) -> tuple[str, ...]:
    chance = random.Random(1)
    for start in range(0, n, 200):
        folder = context / "files" / f"d{start // 20_000}" / f"d{start // 200}"
        folder.mkdir(parents=True)
        for each in range(start, min(n, start + 200)):
            (folder / f"file{each}").write_bytes(chance.randbytes(_FILE // 2).hex().encode())
    (context / "Dockerfile").write_text("FROM scratch\nCOPY files /files\n")
    return ()


def _platforms(context: Path, n: int) -> tuple[str, ...]:
    """A native step for all, and for each platform its own copy of 2,000 files and 20 small steps."""
    _files(context, 2000)
    steps = "".join(f"WORKDIR /d{each}\n" for each in range(20))
    (context / "Dockerfile").write_text(
        "FROM --platform=$BUILDPLATFORM busybox AS build\nRUN echo x > /x\n"
        f"FROM scratch\nARG TARGETARCH\nARG TARGETVARIANT\nCOPY --from=build /x /x\n"
        f"COPY files /$TARGETARCH$TARGETVARIANT\n{steps}"
    )
    return ("--platform", ",".join(f"linux/{each}" for each in _PLATFORMS[:n]))


def _bytes(context: Path, n: int) -> tuple[str, ...]:
    """One file of `n` MB, every fourth of them noise."""
    noise = random.Random(2)
    with (context / "big").open("wb") as file:
        for each in range(n):
            file.write(noise.randbytes(_MEGABYTE) if each % 4 == 0 else bytes(_MEGABYTE))
    (context / "Dockerfile").write_text("FROM scratch\nCOPY big /big\n")
    return ()


SERIES: Final = (
    Series(name="stages", unit="stages side by side", sizes=(10, 30, 100, 300, 1000), make=_side_by_side),
    Series(name="chain", unit="stages on top of each other", sizes=(10, 30, 100, 300, 1000), make=_chained),
    Series(
        name="copies", unit="stages that copy from another", sizes=(10, 30, 100, 300, 1000), make=_copying
    ),
    Series(name="layers", unit="RUN layers", sizes=(10, 30, 60, 100, 200), make=_layers),
    Series(name="files", unit="files", sizes=(2_000, 6_000, 20_000, 60_000, 200_000), make=_files),
    Series(name="platforms", unit="platforms", sizes=(1, 2, 4, 8, 16), make=_platforms),
    Series(name="bytes", unit="MB in one file", sizes=(64, 256, 1024, 4096, 8192), make=_bytes),
)


def run(series: Series, disk: Path, busybox: Path) -> Iterator[Point]:
    """Builds every size twice: on an empty root, and again."""
    for n in series.sizes:
        place = disk / f"{series.name}{n}"
        context = place / "context"
        context.mkdir(parents=True)
        options = series.make(context, n)
        base = ("--build-context", f"busybox=oci-layout://{busybox}", "--provenance=false", "--progress=none")
        command = [_COMMAND, "--root", place / "root", "build", *base, *options, "-t", "x", context]
        cpu, wall, peak = _measured(command)
        again_cpu, again_wall, again_peak = _measured(command)
        shutil.rmtree(place)
        yield Point(
            n=n, cpu=cpu, wall=wall, peak=max(peak, again_peak), again_cpu=again_cpu, again_wall=again_wall
        )


def _measured(command: Sequence[str | Path]) -> tuple[float, float, int]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    sample = measure(command, timeout=1800)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, sample.seconds, sample.peak


def table(results: dict[str, list[Point]]) -> str:
    """A Markdown table, a build a line."""
    rows = [
        "| what grows | n | first: CPU s | wall s | again: CPU s | wall s | memory |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for series in SERIES:
        points = results.get(series.name, [])
        for position, each in enumerate(points):
            rows.append(
                f"| {series.unit if position == 0 else ''} | {each.n:,} | {each.cpu:.2f} | {each.wall:.2f} "
                f"| {each.again_cpu:.2f} | {each.again_wall:.2f} | {each.peak / 1e6:.0f} MB |"
            )
    return "\n".join(rows) + "\n"


def plot(series: Series, points: Sequence[Point], path: Path) -> None:
    """CPU and wall time on the left, memory on the right, as SVG; axes begin at 0, so that lines show lines."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "dockyard"
    from matplotlib import pyplot

    sizes = [each.n for each in points]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.2))
    left.plot(sizes, [each.cpu for each in points], "o-", label="first build, CPU")
    left.plot(sizes, [each.wall for each in points], "o:", label="first build, wall")
    left.plot(sizes, [each.again_cpu for each in points], "s-", label="again, CPU")
    left.set_ylabel("seconds")
    left.legend(fontsize=8)
    right.plot(sizes, [each.peak / 1e6 for each in points], "o-", color="black")
    right.axhline(300, linestyle="--", linewidth=0.8, color="gray")
    right.set_ylabel("peak memory, MB")
    for axes in (left, right):
        axes.set_xlabel(series.unit)
        axes.set_ylim(bottom=0)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measures the series that are named, or all."""
    names = sys.argv[1:] or [series.name for series in SERIES]
    made = subprocess.run(
        [sys.executable, "-m", "fixtures.bases", "path", "busybox"],
        capture_output=True,
        text=True,
        check=True,
    )
    busybox = Path(made.stdout.strip())
    document = _RESULTS / "growth.json"
    _RESULTS.mkdir(parents=True, exist_ok=True)
    results: dict[str, list[Point]] = {}
    if document.exists():
        results = msgspec.json.decode(document.read_bytes(), type=dict[str, list[Point]])
    with tempfile.TemporaryDirectory() as folder, measured_disk(Path(folder)) as disk:
        for series in SERIES:
            if series.name not in names:
                continue
            results[series.name] = []
            for point in run(series, disk, busybox):
                print(series.name, point, flush=True)
                results[series.name].append(point)
            document.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
            plot(series, results[series.name], _RESULTS / f"growth-{series.name}.svg")
    print(table(results))


if __name__ == "__main__":
    main()
