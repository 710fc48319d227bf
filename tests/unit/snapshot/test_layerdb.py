"""Rows of layers: which forms each has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from builder.oci.descriptor import Descriptor
from builder.oci.digest import DiffID, Digest
from builder.oci.mediatypes import layer_media_type
from builder.snapshot.layerdb import SCHEMA, Format, LayerRow, LayerTable
from builder.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from builder.oci.mediatypes import Compression
    from builder.snapshot.layerdb import LayerID

DIFF_ID = DiffID(Digest.of(b"tar"))


@pytest.fixture
def table(tmp_path: Path) -> Iterator[LayerTable]:
    database = Database(tmp_path / "dockyard.db", (SCHEMA,))
    yield LayerTable(database)
    database.close()


def row(table: LayerTable, layer: LayerID) -> LayerRow:
    found = table.get(layer)
    assert found is not None
    return found


def blob(compression: Compression) -> Descriptor:
    return Descriptor(
        media_type=layer_media_type(compression), digest=Digest.of(compression.encode()), size=1
    )


def test_a_new_layer_has_no_form_that_lasts(table: LayerTable) -> None:
    assert not row(table, table.add(created_ns=1)).durable


def test_a_layer_with_a_tree_or_a_blob_lasts(table: LayerTable) -> None:
    with_tree, with_blob = table.add(created_ns=1), table.add(created_ns=1)
    table.set_tree(with_tree)
    table.add_blob(with_blob, blob("gzip"), DIFF_ID, level=None)
    assert row(table, with_tree).durable and row(table, with_blob).durable


def test_layers_of_one_chain_are_one_layer(table: LayerTable) -> None:
    chain = Digest.of(b"chain")
    assert table.add(created_ns=1, chain=chain) == table.add(created_ns=2, chain=chain) == table.find(chain)


def test_the_blob_in_the_wanted_compression_is_chosen(table: LayerTable) -> None:
    layer = table.add(created_ns=1)
    for compression in ("gzip", "zstd"):
        table.add_blob(layer, blob(compression), DIFF_ID, level=None)
    found = row(table, layer)
    assert found.blob(Format("zstd")) == blob("zstd") and found.blob(Format("uncompressed")) is None


def test_any_blob_is_the_one_that_came_first(table: LayerTable) -> None:
    layer = table.add(created_ns=1)
    for compression in ("zstd", "gzip"):
        table.add_blob(layer, blob(compression), DIFF_ID, level=None)
    assert row(table, layer).blob(None) == blob("zstd")


def test_another_level_is_another_blob(table: LayerTable) -> None:
    layer = table.add(created_ns=1)
    table.add_blob(layer, blob("gzip"), DIFF_ID, level=1)
    assert row(table, layer).blob(Format("gzip", 9)) is None


def test_a_deleted_layer_is_forgotten_with_its_blobs(table: LayerTable) -> None:
    kept, dropped = table.add(created_ns=1), table.add(created_ns=1)
    for layer in (kept, dropped):
        table.add_blob(layer, blob("gzip"), DIFF_ID, level=None)
    table.delete([dropped])
    assert table.get(dropped) is None and table.all() == (kept,) and row(table, kept).blobs
