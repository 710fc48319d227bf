"""How fast a large Dockerfile becomes a syntax tree, and the tree a graph.

Run: `pytest tests/bench/bench_dockerfile.py -o python_functions='bench_*'`. Compare figures of one run only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidebyside.workloads import copying_stages

from builder.graph import walk
from builder.platforms import Platform
from frontend import Options, convert
from frontend.dockerfile.parse import parse

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from builder.graph import Git, Http, Location
    from frontend import NamedContext, ResolvedImage

INSTRUCTIONS = 10_000
STAGES = 1000
PLATFORMS = (Platform("linux", "amd64"), Platform("linux", "arm64"))


class NoImages:
    """A resolver for files that begin with nothing."""

    def image(self, reference: str, platform: Platform, *, location: Location) -> ResolvedImage:
        raise LookupError(reference)

    def context(self, name: str, platform: Platform) -> NamedContext | None:
        return None

    def modified(self, source: Git | Http) -> int | None:
        return None


def bench_parse_a_megabyte(benchmark: BenchmarkFixture) -> None:
    line = "RUN --mount=type=cache,target=/c{0} echo ${{A:-{0}}} && make -C /src/{0} 'VARIANT=release' \\\n    --jobs 4\n"
    text = ("FROM busybox\n" + "".join(line.format(n) for n in range(INSTRUCTIONS))).encode()

    tree = benchmark.pedantic(parse, ("Dockerfile", text), rounds=3)

    assert len(tree.stages[0].instructions) == INSTRUCTIONS


def bench_convert_1000_stages_for_two_platforms(benchmark: BenchmarkFixture) -> None:
    text = copying_stages(STAGES).encode()
    options = Options(build_platform=PLATFORMS[0], platforms=PLATFORMS)

    definition = benchmark.pedantic(convert, (text, options, NoImages()), rounds=3)

    # The context is one vertex for both.
    roots = [target.vertex for target in definition.targets if target.vertex is not None]
    assert sum(1 for _ in walk(roots)) > STAGES
