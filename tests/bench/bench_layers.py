"""How fast layers are written, read, unpacked and compressed.

Run: `pytest tests/bench/bench_layers.py -o python_functions='bench_*'`, with `--basetemp` on a memory file
system, or else the figures of unpacking are those of the disk. Compare figures of one run only.
"""

from __future__ import annotations

import io
import random
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import pytest

from builder.snapshot.compression import LayerWriter
from builder.snapshot.index import load_index, save_index, scan_layer
from builder.snapshot.streams import open_layer
from builder.snapshot.tarheader import entry_header
from builder.snapshot.tarreader import read_layer
from builder.snapshot.tarwriter import write_tar
from builder.snapshot.tree import tree_nodes
from builder.snapshot.unpack import materialize, unpack_layer

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from builder.oci.mediatypes import Compression

MEGABYTES = 64


class Nowhere(io.BytesIO):
    """A sink that keeps nothing."""

    def write(self, chunk: bytes, /) -> int:  # type: ignore[override]
        return len(chunk)


@pytest.fixture(scope="module")
def archive(project: Path) -> bytes:
    sink = io.BytesIO()
    write_tar(tree_nodes(project), sink)
    return sink.getvalue()


@pytest.fixture(scope="module")
def half_random() -> bytes:
    """Every other 512 bytes are noise, the rest text."""
    noise = random.Random(2)
    letters = bytes(b"abcdefghij klmnop"[byte % 17] for byte in range(256))
    pieces = (noise.randbytes(512) + noise.randbytes(512).translate(letters) for _ in range(MEGABYTES << 10))
    return b"".join(pieces)


def bench_list_tree(benchmark: BenchmarkFixture, project: Path) -> None:
    assert sum(1 for _ in benchmark(lambda: list(tree_nodes(project)))) > 20_000


def bench_headers(benchmark: BenchmarkFixture, project: Path) -> None:
    entries = [node.entry for node in tree_nodes(project)]
    benchmark(lambda: [entry_header(entry) for entry in entries])


def bench_write_tar_of_listed_files(benchmark: BenchmarkFixture, project: Path) -> None:
    nodes = list(tree_nodes(project))
    benchmark(lambda: write_tar(nodes, Nowhere()))


def bench_read_tar(benchmark: BenchmarkFixture, archive: bytes) -> None:
    benchmark(lambda: sum(1 for _ in read_layer(io.BytesIO(archive))))


def bench_scan_layer(benchmark: BenchmarkFixture, archive: bytes) -> None:
    benchmark(lambda: scan_layer(open_layer(io.BytesIO(archive), "uncompressed")))


def bench_load_index(benchmark: BenchmarkFixture, archive: bytes, tmp_path: Path) -> None:
    save_index(scan_layer(open_layer(io.BytesIO(archive), "uncompressed")).index, tmp_path / "index")
    benchmark(lambda: load_index(tmp_path / "index").get("package7"))


def bench_unpack(benchmark: BenchmarkFixture, archive: bytes, tmp_path: Path) -> None:
    benchmark.pedantic(
        lambda folder: unpack_layer(open_layer(io.BytesIO(archive), "uncompressed"), folder),
        setup=lambda: ((Path(mkdtemp(dir=tmp_path)),), {}),
        teardown=shutil.rmtree,
        rounds=3,
    )


def bench_materialize(benchmark: BenchmarkFixture, project: Path, tmp_path: Path) -> None:
    nodes = list(tree_nodes(project))
    benchmark.pedantic(
        lambda folder: materialize(nodes, folder),
        setup=lambda: ((Path(mkdtemp(dir=tmp_path)),), {}),
        teardown=shutil.rmtree,
        rounds=3,
    )


@pytest.mark.parametrize(
    ("compression", "level"),
    [("gzip", None), ("gzip", 1), ("gzip", 6), ("zstd", None), ("uncompressed", None)],
    ids=["gzip", "gzip-1", "gzip-6", "zstd", "plain"],
)
def bench_compress(
    benchmark: BenchmarkFixture, half_random: bytes, compression: Compression, level: int | None
) -> None:
    def compress() -> None:
        with LayerWriter(Nowhere(), compression, level) as writer:
            for start in range(0, len(half_random), 1 << 20):
                writer.write(half_random[start : start + (1 << 20)])
            writer.finish()

    benchmark.pedantic(compress, rounds=2)


@pytest.mark.parametrize("compression", ["gzip", "zstd", "uncompressed"])
def bench_decompress(benchmark: BenchmarkFixture, half_random: bytes, compression: Compression) -> None:
    blob = io.BytesIO()
    with LayerWriter(blob, compression) as writer:
        writer.write(half_random)
        writer.finish()
    benchmark.pedantic(lambda: open_layer(io.BytesIO(blob.getvalue()), compression).finish(), rounds=2)
