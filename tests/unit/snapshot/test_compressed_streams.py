from __future__ import annotations

import gzip
import io
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from builder.oci.digest import CHUNK
from builder.snapshot.errors import InvalidLayer
from builder.snapshot.streams import open_layer

if TYPE_CHECKING:
    from builder.oci.mediatypes import Compression

_TEXT = b"".join(b"%d: the quick brown fox\n" % number for number in range(100_000))
_SKIPPABLE = bytes.fromhex("502a4d18") + (5).to_bytes(4, "little") + b"12345"


def zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)


_BLOBS: list[tuple[Compression, bytes]] = [
    ("gzip", gzip.compress(_TEXT)),
    ("gzip", gzip.compress(_TEXT[:1000]) + gzip.compress(_TEXT[1000:])),
    ("gzip", gzip.compress(_TEXT) + bytes(700)),
    ("zstd", zstd(_TEXT)),
    ("zstd", zstd(_TEXT[:1000]) + zstd(_TEXT[1000:])),
    ("zstd", _SKIPPABLE + zstd(_TEXT[:1000]) + _SKIPPABLE + zstd(_TEXT[1000:]) + _SKIPPABLE),
    ("uncompressed", _TEXT),
]


_NAMES = ["gzip", "members", "padded", "zstd", "frames", "skippable", "plain"]


@pytest.mark.parametrize(("compression", "blob"), _BLOBS, ids=_NAMES)
def test_the_whole_stream_is_read_and_hashed(compression: Compression, blob: bytes) -> None:
    layer = open_layer(io.BytesIO(blob), compression)

    assert layer.read(5) == _TEXT[:5]
    assert layer.finish() == "sha256:" + sha256(_TEXT).hexdigest()
    assert layer.size == len(_TEXT)


@pytest.mark.parametrize(
    ("compression", "blob"),
    [_BLOBS[0], _BLOBS[1], _BLOBS[3], _BLOBS[4]],
    ids=["gzip", "members", "zstd", "frames"],
)
@given(cut=st.floats(0, 1, exclude_max=True))
def test_a_stream_that_is_cut_off_is_refused(compression: Compression, blob: bytes, cut: float) -> None:
    layer = open_layer(io.BytesIO(blob[: int(cut * len(blob))]), compression)

    try:
        diff_id = layer.finish()
    except InvalidLayer as error:
        assert "cut off" in str(error)
        return
    # Only between two members or frames is a shorter stream a whole one.
    assert diff_id == "sha256:" + sha256(_TEXT[:1000]).hexdigest()


@pytest.mark.parametrize(("compression", "blob"), [_BLOBS[0], _BLOBS[3]], ids=["gzip", "zstd"])
@given(data=st.data())
def test_a_damaged_stream_is_refused_or_has_another_diff_id(
    compression: Compression, blob: bytes, data: st.DataObject
) -> None:
    damaged = bytearray(blob)
    damaged[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))

    try:
        diff_id = open_layer(io.BytesIO(bytes(damaged)), compression, limit=10 * len(_TEXT)).finish()
    except InvalidLayer:
        return
    # Flags and times of a header, and a stored checksum of zstd, may change without a trace.
    assert diff_id.startswith("sha256:")


@pytest.mark.parametrize(
    ("compression", "blob"),
    [
        ("gzip", gzip.compress(b"x") + b"garbage in the place of a header"),
        ("zstd", zstd(b"x") + b"garbage in the place of a header"),
        ("gzip", b"not compressed"),
        ("zstd", b"not compressed"),
        ("gzip", zstd(b"x")),
    ],
    ids=["behind gzip", "behind zstd", "no gzip", "no zstd", "zstd as gzip"],
)
def test_bytes_that_are_not_of_the_compression_are_refused(compression: Compression, blob: bytes) -> None:
    with pytest.raises(InvalidLayer, match="damaged"):
        open_layer(io.BytesIO(blob), compression).finish()


@pytest.mark.parametrize("compression", ["gzip", "zstd", "uncompressed"])
def test_more_bytes_than_the_limit_are_not_believed(compression: Compression) -> None:
    bomb = {"gzip": gzip.compress, "zstd": zstd, "uncompressed": bytes}[compression](bytes(64 * CHUNK))

    layer = open_layer(io.BytesIO(bomb), compression, limit=CHUNK)

    with pytest.raises(InvalidLayer, match="larger than"):
        layer.finish()


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_limit_that_is_just_reached_is_no_error(compression: Compression) -> None:
    blob = {"gzip": gzip.compress, "zstd": zstd}[compression](bytes(3 * CHUNK))

    layer = open_layer(io.BytesIO(blob), compression, limit=3 * CHUNK)

    layer.finish()
    assert layer.size == 3 * CHUNK


def test_a_zstd_window_that_would_exhaust_memory_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=28, compression_level=1)
    blob = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    stream = blob.compress(_TEXT) + blob.flush()

    with pytest.raises(InvalidLayer, match="damaged"):
        open_layer(io.BytesIO(stream), "zstd").finish()
