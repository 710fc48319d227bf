"""Scans on one state root: shared, kept, collected; and a real distribution."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from scanning import Laboratory, packages

from builder.api import collect_garbage
from builder.cache.records import CacheRecords
from builder.store.database import Database

if TYPE_CHECKING:
    from pathlib import Path

    from scanning import Scanned

pytestmark = pytest.mark.root

TEXT = "FROM busybox\n"


def scan_records(laboratory: Laboratory) -> list[str]:
    database = Database(laboratory.root / "dockyard.db")
    try:
        return [
            each.key for each in CacheRecords(database).all() if each.description.startswith("generating")
        ]
    finally:
        database.close()


def test_a_scan_survives_a_collection_as_long_as_its_record(laboratory: Laboratory) -> None:
    laboratory.build(TEXT)
    collect_garbage(laboratory.root)
    assert laboratory.build(TEXT).scans == []


def test_a_scan_goes_with_its_record(laboratory: Laboratory) -> None:
    laboratory.build(TEXT)
    database = Database(laboratory.root / "dockyard.db")
    CacheRecords(database).delete(scan_records(laboratory))  # type: ignore[arg-type]
    database.close()
    collect_garbage(laboratory.root)
    assert not list((laboratory.root / "trees").glob("*/outline"))
    assert len(laboratory.build(TEXT).scans) == 1


def test_two_builds_at_once_scan_once(tmp_path: Path, laboratory: Laboratory) -> None:
    (tmp_path / "other").mkdir()
    laboratories = (laboratory, Laboratory(tmp_path / "other", laboratory.root, laboratory.contexts))
    built: list[Scanned] = []
    threads = [
        threading.Thread(target=lambda each=each: built.append(each.build(TEXT))) for each in laboratories
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(each.scans) for each in built) == [0, 1]


def test_another_image_on_the_same_files_is_not_scanned_again(laboratory: Laboratory) -> None:
    laboratory.build(TEXT)
    assert laboratory.build("FROM busybox\nENV A=1\nLABEL b=2\n").scans == []


def test_the_packages_of_a_distribution_are_found_with_their_files(
    tmp_path: Path, dockyard_root: Path, debian_layout: Path
) -> None:
    laboratory = Laboratory(tmp_path, dockyard_root, {"debian": f"oci-layout://{debian_layout}"})
    built = laboratory.build("FROM debian\n", platforms=("linux/amd64",))
    (document,) = built.documents("linux/amd64")
    names = {each.partition(" ")[0] for each in packages(document)}
    assert {"apt", "bash", "dpkg", "libc6", "perl-base"} <= names
    assert len(document["files"]) > 1000
    assert any(each.get("comment") == f"layerID: {built.layers()[0]}" for each in document["files"])
