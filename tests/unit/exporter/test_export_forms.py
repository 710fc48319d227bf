"""Layers in forms that are other archives: eStargz, and times that do not tell."""

from __future__ import annotations

import gzip
import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from builder.oci.descriptor import Descriptor
from builder.oci.digest import DiffID, Digest
from builder.oci.mediatypes import OCI_LAYER
from builder.snapshot.layerdb import Format
from builder.snapshot.layers import LayerBlob
from builder.store.gc import NoSnapshots, collect
from builder.store.selection import open_store
from exporter.forms import REWRITTEN, Form, form_of, variant
from exporter.outputs import ImageOutput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from builder.store.embedded import EmbeddedStore
    from builder.store.protocol import ContentWriter

ESTARGZ = Form("estargz")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    with open_store(tmp_path / "root") as opened:
        yield opened


@pytest.fixture
def content(store: EmbeddedStore) -> Iterator[ContentWriter]:
    with store.lease() as lease:
        yield lease.content


def kept(content: ContentWriter) -> LayerBlob:
    """A layer with one file of the year 2001."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        info = tarfile.TarInfo("file")
        info.size, info.mtime = 5, 1_000_000_000
        archive.addfile(info, io.BytesIO(b"hello"))
    plain = sink.getvalue()
    blob = gzip.compress(plain, mtime=0)
    content.put(blob)
    descriptor = Descriptor(media_type=OCI_LAYER + "+gzip", digest=Digest.of(blob), size=len(blob))
    return LayerBlob(descriptor=descriptor, diff_id=DiffID(Digest.of(plain)), created_ns=1)


def read(content: ContentWriter, blob: LayerBlob) -> bytes:
    return content.read(blob.descriptor)


def test_an_estargz_layer_holds_the_plain_archive_and_its_annotations(content: ContentWriter) -> None:
    layer = kept(content)
    made = variant(layer, ESTARGZ, content)
    assert gzip.decompress(read(content, made)).startswith(gzip.decompress(read(content, layer)))
    assert set(made.descriptor.annotations) == {
        "containerd.io/snapshot/stargz/toc.digest",
        "io.containers.estargz.uncompressed-size",
    }


@pytest.mark.parametrize("form", [ESTARGZ, Form("gzip", latest=5), Form("zstd", 3, latest=5)])
def test_a_variant_is_made_once_and_then_remembered(content: ContentWriter, form: Form) -> None:
    layer = kept(content)
    first = variant(layer, form, content)
    assert variant(layer, form, content) == first


def test_a_variant_that_was_collected_is_made_again(store: EmbeddedStore) -> None:
    with store.lease() as lease:
        layer = kept(lease.content)
        first = variant(layer, ESTARGZ, lease.content)
        store.content.delete(first.descriptor.digest)
        assert variant(layer, ESTARGZ, lease.content) == first
        assert lease.content.has(first.descriptor.digest)
    assert collect(store.root, store.database, snapshots=NoSnapshots()).blobs >= 2


def test_variants_of_one_layer_do_not_replace_each_other(content: ContentWriter) -> None:
    layer = kept(content)
    made = {variant(layer, Form("gzip", latest=epoch), content).diff_id for epoch in (5, 6, 5)}
    assert len(made) == 2


def test_a_rewritten_layer_says_so_and_has_no_later_time(content: ContentWriter) -> None:
    made = variant(kept(content), Form("gzip", latest=5), content)
    with tarfile.open(fileobj=io.BytesIO(read(content, made))) as archive:
        assert [member.mtime for member in archive] == [5]
    assert made.descriptor.annotations == {REWRITTEN: "5"}


def test_times_are_rewritten_within_estargz_too(content: ContentWriter) -> None:
    made = variant(kept(content), Form("estargz", latest=5), content)
    with tarfile.open(fileobj=io.BytesIO(read(content, made))) as archive:
        assert [member.mtime for member in archive] == [5]
    assert REWRITTEN in made.descriptor.annotations


@pytest.mark.parametrize(
    ("output", "form", "plain"),
    [
        (ImageOutput(), Form(), Format()),
        (ImageOutput(compression="zstd", compression_level=3), Form("zstd", 3), Format("zstd", 3)),
        (ImageOutput(compression="estargz", compression_level=9), Form("estargz", 9), Format()),
        (ImageOutput(rewrite_timestamp=True, epoch=5), Form(latest=5), Format()),
        (ImageOutput(rewrite_timestamp=True), Form(), Format()),
        (ImageOutput(epoch=5), Form(), Format()),
    ],
)
def test_the_form_of_an_output_and_the_one_it_is_made_of(
    output: ImageOutput, form: Form, plain: Format
) -> None:
    assert (form_of(output), form_of(output).kept) == (form, plain)
