"""The results as people read them: a table and a plot, both from one JSON document."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sidebyside.measure import Sample

_WITH_MEMORY: Final = ("dockyard", "BuildKit")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One workload: medians of seconds and largest peaks of memory in bytes, by builder."""

    name: str
    target: float
    seconds: dict[str, float]
    peaks: dict[str, int]
    refused: dict[str, str] = {}

    @property
    def ratio(self) -> float | None:
        """The time of dockyard as a part of BuildKit's; None where BuildKit has none."""
        theirs, ours = self.seconds.get("BuildKit"), self.seconds.get("dockyard")
        return ours / theirs if ours is not None and theirs else None


def line_of(
    name: str, target: float, samples: Mapping[str, Sequence[Sample]], refused: Mapping[str, str]
) -> Line:
    """What `samples` by builder come to."""
    return Line(
        name=name,
        target=target,
        seconds={builder: median(each.seconds for each in runs) for builder, runs in samples.items() if runs},
        peaks={builder: max(each.peak for each in runs) for builder, runs in samples.items() if runs},
        refused=dict(refused),
    )


def table(lines: Sequence[Line], builders: Sequence[str]) -> str:
    """A Markdown table, a workload a line; the last line has the largest memory over all of them."""
    heads = [*(f"{name} s" for name in builders), "ratio to BuildKit", "target"]
    heads += [f"{name} MB" for name in _measured(builders)]
    peaks = [max((line.peaks.get(name, 0) for line in lines), default=0) for name in _measured(builders)]
    over_all = [*("" for _ in builders), "", "", *map(_megabytes, peaks)]
    rows = [
        f"| workload | {' | '.join(heads)} |",
        "|---|" + "---:|" * len(heads),
        *(row(line, builders) for line in lines),
        f"| peak memory over all of these | {' | '.join(over_all)} |",
    ]
    return "\n".join(rows) + "\n"


def row(line: Line, builders: Sequence[str]) -> str:
    """The line of the table."""
    cells = [f"{line.seconds[name]:.2f}" if name in line.seconds else "-" for name in builders]
    cells += ["-" if line.ratio is None else f"{line.ratio:.2f}", str(line.target)]
    cells += [_megabytes(line.peaks[name]) if name in line.peaks else "-" for name in _measured(builders)]
    return f"| {line.name} | {' | '.join(cells)} |"


def _measured(builders: Sequence[str]) -> list[str]:
    return [name for name in _WITH_MEMORY if name in builders]


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f}"


def plot(lines: Sequence[Line], builders: Sequence[str], path: Path) -> None:
    """Bars of seconds, on a logarithmic axis, as SVG."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "dockyard"
    from matplotlib import pyplot

    height = 0.8 / len(builders)
    figure, axes = pyplot.subplots(figsize=(9, 0.5 * len(lines) + 1))
    for position, builder in enumerate(builders):
        places = [row + position * height for row, line in enumerate(lines) if builder in line.seconds]
        values = [line.seconds[builder] for line in lines if builder in line.seconds]
        axes.barh(places, values, height, label=builder)
    axes.set_yticks([row + 0.4 - height / 2 for row in range(len(lines))], [line.name for line in lines])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("seconds, median; less is better")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
