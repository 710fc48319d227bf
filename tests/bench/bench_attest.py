"""What attestations cost: verification of ten platforms, reading, and what provenance and an SBOM add to a build.

Run: `pytest tests/bench/bench_attest.py -o python_functions='bench_*' --benchmark-only`. Whole commands, start-up
included; bases are those of the test bed. Compare figures of one run only.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.bases.__main__ import base_path

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

COMMAND = Path(sys.executable).with_name("dockyard")
TEN = ("amd64", "arm64", "arm/v7", "arm/v6", "386", "ppc64le", "s390x", "riscv64", "mips64le", "loong64")
TWO = "linux/amd64,linux/arm64"
DOCKERFILE = "FROM busybox\nCOPY . /app\nLABEL a=b\n"


class Bench:
    """The command on a state root of its own, with a small context."""

    def __init__(self, folder: Path) -> None:
        self.root, self.context = folder / "root", folder / "context"
        self.context.mkdir()
        (self.context / "Dockerfile").write_text(DOCKERFILE)
        (self.context / "file").write_bytes(os.urandom(1 << 20))

    def __call__(self, *words: str) -> None:
        subprocess.run([COMMAND, "--root", self.root, *words], check=True, capture_output=True)

    def build(self, base: str, *options: str) -> None:
        layout = f"{base}=oci-layout://{base_path(base, environment=os.environ)}"
        self("build", "--build-context", layout, "-t", "app:1", *options, str(self.context))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def bench_verify_of_ten_platforms_from_the_store(benchmark: BenchmarkFixture, bench: Bench) -> None:
    platforms = ",".join(f"linux/{each}" for each in TEN)
    (bench.context / "Dockerfile").write_text(
        "FROM scratch\nARG TARGETPLATFORM\nCOPY . /app\nLABEL p=$TARGETPLATFORM\n"
    )
    bench.build("busybox", "--platform", platforms, "--provenance=max", "--sbom=true")
    benchmark.pedantic(bench, ("verify", "app:1"), rounds=5)


@pytest.mark.parametrize("provenance", ["false", "min", "max"])
def bench_a_cached_build_of_two_platforms(benchmark: BenchmarkFixture, bench: Bench, provenance: str) -> None:
    options = ("--platform", TWO, f"--provenance={provenance}")
    bench.build("busybox", *options)
    benchmark.pedantic(bench.build, ("busybox", *options), rounds=9)


def bench_first_sbom_of_debian(benchmark: BenchmarkFixture, bench: Bench) -> None:
    (bench.context / "Dockerfile").write_text("FROM debian\nLABEL a=b\n")
    bench.build("debian", "--provenance=false")
    benchmark.pedantic(bench.build, ("debian", "--provenance=false", "--sbom=true"), rounds=1)


@pytest.mark.parametrize("sbom", ["false", "true"])
def bench_cached_build_of_debian(benchmark: BenchmarkFixture, bench: Bench, sbom: str) -> None:
    (bench.context / "Dockerfile").write_text("FROM debian\nLABEL a=b\n")
    bench.build("debian", "--provenance=false", f"--sbom={sbom}")
    benchmark.pedantic(bench.build, ("debian", "--provenance=false", f"--sbom={sbom}"), rounds=5)


def bench_show_of_debian(benchmark: BenchmarkFixture, bench: Bench) -> None:
    (bench.context / "Dockerfile").write_text("FROM debian\nLABEL a=b\n")
    bench.build("debian", "--sbom=true")
    benchmark.pedantic(bench, ("attest", "show", "app:1"), rounds=5)
