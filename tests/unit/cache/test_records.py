"""Cache records: what a key stands for, kept between builds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from builder.cache.records import KINDS, SCHEMA, CacheRecords
from builder.oci.digest import Digest
from builder.snapshot.layerdb import LayerID
from builder.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY, OTHER = Digest.of(b"key"), Digest.of(b"other")


@pytest.fixture
def records(tmp_path: Path) -> Iterator[CacheRecords]:
    database = Database(tmp_path / "dockyard.db", (SCHEMA, KINDS))
    yield CacheRecords(database)
    database.close()


def test_a_saved_record_is_found_with_its_layers_in_order(records: CacheRecords) -> None:
    records.save(KEY, (LayerID(2), LayerID(1)), description="RUN x")
    assert records.find(KEY) == (2, 1)


def test_a_key_that_nobody_saved_is_a_miss(records: CacheRecords) -> None:
    assert records.find(KEY) is None


def test_saving_again_replaces_the_result(records: CacheRecords) -> None:
    records.save(KEY, (LayerID(1),), description="RUN x")
    records.save(KEY, (LayerID(2),), description="RUN x")
    assert records.find(KEY) == (2,)


def test_a_definition_leads_to_the_key_that_it_had_last(records: CacheRecords) -> None:
    records.save_definition(OTHER, KEY)
    assert (records.find_definition(OTHER), records.find_definition(KEY)) == (KEY, None)


def test_using_a_record_moves_it_behind_those_that_were_not_used(records: CacheRecords) -> None:
    records.save(KEY, (), description="first")
    records.save(OTHER, (), description="second")
    records.touch([KEY])
    assert [(each.description, each.uses) for each in records.all()] == [("second", 0), ("first", 1)]


def test_a_deleted_record_is_a_miss(records: CacheRecords) -> None:
    records.save(KEY, (), description="x")
    records.delete([KEY])
    assert records.find(KEY) is None


def test_a_record_knows_what_it_is(records: CacheRecords) -> None:
    records.save(KEY, (LayerID(1),), description="RUN x")
    records.save(OTHER, (LayerID(2),), description="https://host/r.git", kind="source.git.checkout")
    assert {record.key: record.kind for record in records.all()} == {
        KEY: "regular",
        OTHER: "source.git.checkout",
    }


def test_a_definition_that_leads_nowhere_is_forgotten_when_it_is_old(records: CacheRecords) -> None:
    records.save_definition(KEY, OTHER)
    records.forget_definitions(before=0)
    assert records.find_definition(KEY) == OTHER
    records.forget_definitions(before=1e12)
    assert records.find_definition(KEY) is None
