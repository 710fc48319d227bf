from __future__ import annotations

import gzip
import io
import random
import threading
import tracemalloc
import zlib
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.oci.digest import CHUNK
from builder.snapshot.compression import LayerWriter, WrittenLayer
from builder.system.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from builder.oci.mediatypes import Compression

_RANDOM = random.Random(7)
_TEXT = b"".join(b"%d: the quick brown fox\n" % number for number in range(100_000))
_NOISE = _RANDOM.randbytes(CHUNK + 5)
_LEVELS: list[tuple[Compression, int | None]] = [
    ("gzip", None),
    *(("gzip", level) for level in range(10)),
    ("zstd", None),
    *(("zstd", level) for level in (0, 3, 6, 22)),
    ("uncompressed", None),
]


def compress(
    chunks: Iterable[bytes], compression: Compression, level: int | None = None, *, threads: int = 2
) -> tuple[WrittenLayer, bytes]:
    sink = io.BytesIO()
    with LayerWriter(sink, compression, level, threads=threads) as writer:
        for chunk in chunks:
            writer.write(chunk)
        written = writer.finish()
    return written, sink.getvalue()


def decompress(blob: bytes, compression: Compression) -> bytes:
    if compression == "gzip":
        return gzip.decompress(blob)
    if compression == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(blob)
    return blob


@pytest.mark.parametrize(("compression", "level"), _LEVELS)
@pytest.mark.parametrize("content", [b"", b"x", _TEXT + _NOISE], ids=["empty", "tiny", "large"])
def test_every_level_makes_a_blob_that_others_can_read(
    compression: Compression, level: int | None, content: bytes
) -> None:
    written, blob = compress([content], compression, level)

    assert decompress(blob, compression) == content
    assert written.diff_id == "sha256:" + sha256(content).hexdigest()
    assert (written.size, written.uncompressed_size) == (len(blob), len(content))


@pytest.mark.parametrize(("compression", "level"), [("gzip", None), ("gzip", 1), ("zstd", None)])
@pytest.mark.parametrize("threads", [1, 3])
def test_blobs_do_not_depend_on_threads_or_on_the_sizes_of_writes(
    compression: Compression, level: int | None, threads: int
) -> None:
    content = _TEXT + _NOISE + _TEXT
    whole = compress([content], compression, level)

    pieces = (content[start : start + 70_001] for start in range(0, len(content), 70_001))

    assert compress(pieces, compression, level, threads=threads) == whole


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=200)), st.sampled_from(["gzip", "zstd"]))
def test_what_was_written_is_what_is_read(chunks: list[bytes], compression: Compression) -> None:
    _, blob = compress(chunks, compression)

    assert decompress(blob, compression) == b"".join(chunks)


def test_a_gzip_header_tells_nothing_of_machine_or_moment() -> None:
    _, blob = compress([b"x"], "gzip")

    assert blob[:10] == bytes.fromhex("1f8b08000000000000ff")


_HALF_NOISE = b"".join(_RANDOM.randbytes(512) + bytes(512) for _ in range(2 << 10))


@pytest.mark.parametrize("content", [_TEXT, _NOISE, _HALF_NOISE], ids=["text", "noise", "half noise"])
def test_a_default_layer_is_at_most_three_percent_larger_than_one_of_zlib(content: bytes) -> None:
    written, _ = compress([content], "gzip")

    assert written.size < len(zlib.compress(content, 6)) * 1.03


def test_what_hardly_shrinks_is_left_to_the_fast_compressor() -> None:
    assert compress([_NOISE[:CHUNK]], "gzip") == compress([_NOISE[:CHUNK]], "gzip", 1)


def test_a_zstd_layer_finds_again_what_it_had_three_megabytes_before() -> None:
    once = random.Random(3).randbytes(3 * CHUNK // 2).hex().encode()

    first, _ = compress([once], "zstd")
    both, _ = compress([once, once], "zstd")

    assert both.size < first.size * 1.6


def test_each_member_of_a_gzip_layer_can_be_read_without_the_others() -> None:
    _, blob = compress([_NOISE, _TEXT[:100]], "gzip")

    first = zlib.decompressobj(wbits=31)
    second = zlib.decompressobj(wbits=31)

    assert first.decompress(blob) + second.decompress(first.unused_data) == _NOISE + _TEXT[:100]
    assert (first.eof, second.eof, second.unused_data) == (True, True, b"")


@pytest.mark.parametrize(("compression", "level"), [("gzip", 10), ("gzip", -1), ("zstd", 23)])
def test_a_level_that_does_not_exist_is_refused(compression: Compression, level: int) -> None:
    with pytest.raises(UsageError, match="no compression level"):
        LayerWriter(io.BytesIO(), compression, level)


def test_an_uncompressed_layer_takes_no_level() -> None:
    with pytest.raises(UsageError, match="has no compression level"):
        LayerWriter(io.BytesIO(), "uncompressed", 3)


class FullDisk(io.BytesIO):
    def write(self, chunk: object, /) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("compression", ["gzip", "zstd", "uncompressed"])
def test_an_error_of_the_sink_reaches_the_writer_and_ends_the_threads(compression: Compression) -> None:
    before = threading.active_count()

    with pytest.raises(OSError, match="No space"), LayerWriter(FullDisk(), compression) as writer:
        for _ in range(40):
            writer.write(_NOISE)
        writer.finish()

    assert threading.active_count() == before


def test_leaving_without_finishing_ends_the_threads() -> None:
    before = threading.active_count()

    with LayerWriter(io.BytesIO(), "gzip") as writer:
        writer.write(_NOISE + _NOISE + _NOISE)
        assert threading.active_count() > before

    assert threading.active_count() == before


class Trickle(io.BytesIO):
    def write(self, chunk: bytes | memoryview, /) -> int:  # type: ignore[override]
        return super().write(chunk[:1000])


def test_a_sink_that_takes_little_at_a_time_gets_everything() -> None:
    sink = Trickle()
    with LayerWriter(sink, "gzip") as writer:
        writer.write(_NOISE)
        written = writer.finish()

    assert written.size == len(sink.getvalue())
    assert gzip.decompress(sink.getvalue()) == _NOISE


class Nowhere(io.BytesIO):
    def write(self, chunk: bytes | memoryview, /) -> int:  # type: ignore[override]
        return len(chunk)


def test_memory_stays_flat_however_large_the_layer_is() -> None:
    tracemalloc.start()
    try:
        with LayerWriter(Nowhere(), "gzip", 1, threads=2) as writer:
            for _ in range(64):
                writer.write(_NOISE)
            writer.finish()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 24 * CHUNK
