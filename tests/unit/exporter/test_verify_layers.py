"""The check `diff-id`: a layer is the one of the config, in its place."""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING, BinaryIO

import msgspec
import pytest
from made import AMD64, ARM64

from builder.oci.config import RootFS, scratch_config
from builder.oci.descriptor import Descriptor
from builder.oci.digest import DiffID, Digest
from builder.oci.manifest import image_manifest
from builder.oci.mediatypes import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from builder.store.errors import BlobNotFound
from exporter.attest.verify import layers as layers_module
from exporter.attest.verify.graph import ImageEntry
from exporter.attest.verify.layers import check_layers

if TYPE_CHECKING:
    from builder.platforms import Platform

ONE, TWO = b"one" * 100, b"two" * 100


class Blobs:
    """Compressed layers in memory (`BlobReader`)."""

    def __init__(self) -> None:
        self.blobs: dict[Digest, bytes] = {}
        self.opened = 0

    def put(self, content: bytes, *, size: int | None = None) -> Descriptor:
        digest = Digest.of(content)
        self.blobs[digest] = content
        return Descriptor(
            media_type=f"{OCI_LAYER}+gzip", digest=digest, size=len(content) if size is None else size
        )

    def open(self, digest: Digest) -> BinaryIO:
        self.opened += 1
        if digest not in self.blobs:
            raise BlobNotFound(f"blob {digest} is missing")
        return io.BytesIO(self.blobs[digest])

    def read(self, descriptor: Descriptor) -> bytes:
        return self.open(descriptor.digest).read()


def entry(layers: list[Descriptor], tars: list[bytes], platform: Platform = AMD64) -> ImageEntry:
    rootfs = RootFS(diff_ids=tuple(DiffID(Digest.of(tar)) for tar in tars))
    described = Descriptor(media_type=OCI_CONFIG, digest=Digest.of(b"{}"), size=2)
    return ImageEntry(
        Descriptor(media_type=OCI_MANIFEST, digest=Digest.of(b"m"), size=1),
        image_manifest(described, tuple(layers)),
        msgspec.structs.replace(scratch_config(platform), rootfs=rootfs),
    )


def states(reader: Blobs, *images: ImageEntry, deep: bool = False) -> list[tuple[str, str]]:
    return [(each.state, each.path) for each in check_layers(reader, images, deep=deep)]


def test_layers_in_the_order_of_the_config_hold() -> None:
    blobs = Blobs()
    stored = [blobs.put(gzip.compress(ONE)), blobs.put(gzip.compress(TWO))]
    assert states(blobs, entry(stored, [ONE, TWO])) == [("held", "")]


def test_layers_in_another_order_fail_both() -> None:
    blobs = Blobs()
    stored = [blobs.put(gzip.compress(TWO)), blobs.put(gzip.compress(ONE))]
    assert states(blobs, entry(stored, [ONE, TWO])) == [
        ("failed", "$.layers[0]"),
        ("failed", "$.layers[1]"),
    ]


def test_a_layer_of_several_platforms_is_decompressed_once() -> None:
    blobs = Blobs()
    stored = [blobs.put(gzip.compress(ONE))]
    assert states(blobs, entry(stored, [ONE]), entry(stored, [ONE], ARM64)) == [("held", ""), ("held", "")]
    assert blobs.opened == 1


@pytest.mark.parametrize(
    "content",
    [b"no gzip", gzip.compress(ONE)[:-4], gzip.compress(ONE) + b"more", b""],
    ids=["other", "cut-off", "followed", "empty"],
)
def test_a_stream_that_is_damaged_fails(content: bytes) -> None:
    blobs = Blobs()
    assert states(blobs, entry([blobs.put(content)], [ONE])) == [("failed", "$.layers[0]")]


def test_a_layer_that_is_not_here_is_not_checked() -> None:
    blobs = Blobs()
    stored = blobs.put(gzip.compress(ONE))
    blobs.blobs.clear()
    assert states(blobs, entry([stored], [ONE])) == [("skipped", "$.layers[0]")]


def test_large_layers_are_left_to_those_who_ask() -> None:
    blobs = Blobs()
    image = entry([blobs.put(gzip.compress(ONE), size=layers_module.SMALL + 1)], [ONE])
    assert states(blobs, image) == [("skipped", "")]
    assert blobs.opened == 0
    assert states(blobs, image, deep=True) == [("held", "")]


def test_a_bomb_is_left_to_those_who_ask() -> None:
    blobs = Blobs()
    bomb = bytes(layers_module._EXPANDED + 1)
    image = entry([blobs.put(gzip.compress(bomb, 1))], [bomb])
    assert states(blobs, image) == [("skipped", "$.layers[0]")]
