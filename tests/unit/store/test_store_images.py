"""Names of any store: what setting, finding and deleting them promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from samples import AMD64, index_of, put, several, single

from builder.store.errors import BlobNotFound, DriverError, ImageNotFound
from builder.store.selection import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from builder.store.protocol import Store

NAME = "docker.io/library/hello:1"


def test_a_name_gives_the_target_that_it_was_set_to(any_store: Store) -> None:
    with any_store.lease() as lease:
        target = put(lease.content, single())
        any_store.images.set(NAME, target, labels={"key": "value"})
    image = any_store.images.get(NAME)
    assert (image.name, image.target, image.labels) == (NAME, target, {"key": "value"})


def test_setting_a_name_again_moves_it_and_keeps_its_first_time(any_store: Store) -> None:
    with any_store.lease() as lease:
        first = any_store.images.set(NAME, put(lease.content, single()))
        other = put(lease.content, single(layer=b"other"))
        second = any_store.images.set(NAME, other)
    assert second.target == other
    assert second.created_at == first.created_at
    assert second.updated_at >= first.updated_at


def test_a_missing_name_is_an_error_that_says_where_to_look(any_store: Store) -> None:
    assert any_store.images.find(NAME) is None
    with pytest.raises(ImageNotFound, match="dockyard images"):
        any_store.images.get(NAME)


def test_names_are_listed_in_order_and_gone_when_deleted(any_store: Store) -> None:
    with any_store.lease() as lease:
        target = put(lease.content, single())
        for name in ("b", "a", "c"):
            any_store.images.set(name, target)
    assert any_store.images.delete("b")
    assert not any_store.images.delete("b")
    assert [image.name for image in any_store.images.all()] == ["a", "c"]


def test_a_name_for_a_blob_that_is_not_there_is_refused(any_store: Store) -> None:
    with pytest.raises(BlobNotFound, match="the blob is not in the store"):
        any_store.images.set(NAME, single().root)


def test_what_one_store_holds_is_hidden_from_the_other(tmp_path: Path) -> None:
    with open_store(tmp_path / "root", driver="containerd") as one, one.lease() as lease:
        one.images.set(NAME, put(lease.content, single()))
    with open_store(tmp_path / "root", driver="docker") as other:
        assert other.images.all() == ()
        assert list(other.content.walk()) == []
    with open_store(tmp_path / "root", driver="containerd") as one:
        assert [image.name for image in one.images.all()] == [NAME]


def test_the_classic_store_refuses_an_image_for_several_platforms(tmp_path: Path) -> None:
    with open_store(tmp_path / "root", driver="docker") as classic, classic.lease() as lease:
        target = put(lease.content, several())
        with pytest.raises(
            DriverError, match=r"^Multi-platform build is not supported for the docker driver\."
        ):
            classic.images.set(NAME, target)
        assert classic.images.all() == ()


def test_the_classic_store_refuses_an_image_with_attestations(tmp_path: Path) -> None:
    image = single()
    statement = single(layer=b"statement")
    marked = statement.root.with_platform(AMD64.__class__("unknown", "unknown"))
    sample = index_of([image.root.with_platform(AMD64), marked], image, statement)
    with open_store(tmp_path / "root", driver="docker") as classic, classic.lease() as lease:
        target = put(lease.content, sample)
        with pytest.raises(DriverError, match=r"^Attestation is not supported for the docker driver"):
            classic.images.set(NAME, target)
