"""Content of any store: what writing, reading and labelling blobs promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.manifest import MAX_DOCUMENT, InvalidDocument
from builder.store.errors import BlobNotFound, DigestMismatch

if TYPE_CHECKING:
    from builder.store.protocol import Lease, Store

HELLO = Digest.of(b"hello")


def described(content: bytes, *, size: int | None = None) -> Descriptor:
    return Descriptor(
        media_type="text/plain", digest=Digest.of(content), size=len(content) if size is None else size
    )


def test_a_committed_blob_is_read_back_as_it_was(any_lease: Lease) -> None:
    with any_lease.content.ingest("greeting") as ingest:
        ingest.write(b"hel")
        ingest.write(memoryview(b"lo"))
        assert ingest.commit(expected=HELLO, size=5) == HELLO
    with any_lease.content.open(HELLO) as stream:
        assert stream.read() == b"hello"


def test_a_blob_is_invisible_before_its_commit(any_lease: Lease) -> None:
    with any_lease.content.ingest("greeting") as ingest:
        ingest.write(b"hello")
        assert any_lease.content.find(HELLO) is None


def test_leaving_without_commit_leaves_nothing(any_lease: Lease) -> None:
    with any_lease.content.ingest("greeting") as ingest:
        ingest.write(b"hello")
    assert list(any_lease.content.walk()) == []


def test_a_commit_with_another_digest_is_refused_and_not_kept(any_lease: Lease) -> None:
    with (
        any_lease.content.ingest("greeting") as ingest,
        pytest.raises(DigestMismatch, match=f"greeting: unexpected commit digest {HELLO}, expected"),
    ):
        ingest.write(b"hello")
        ingest.commit(expected=Digest.of(b"other"))
    assert list(any_lease.content.walk()) == []


def test_a_commit_with_another_size_is_refused_and_not_kept(any_lease: Lease) -> None:
    with (
        any_lease.content.ingest("greeting") as ingest,
        pytest.raises(DigestMismatch, match="greeting: 5 bytes came where 4 were expected"),
    ):
        ingest.write(b"hello")
        ingest.commit(expected=HELLO, size=4)
    assert not any_lease.content.has(HELLO)


def test_writing_a_blob_twice_keeps_one_of_them(any_lease: Lease) -> None:
    for _ in range(2):
        with any_lease.content.ingest("greeting") as ingest:
            ingest.write(b"hello")
            ingest.commit()
    assert [blob.digest for blob in any_lease.content.walk()] == [HELLO]


def test_putting_bytes_with_labels_makes_a_blob_that_has_them(any_lease: Lease) -> None:
    any_lease.content.put(b"hello", labels={"key": "value"})
    blob = any_lease.content.find(HELLO)
    assert blob is not None
    assert (blob.size, blob.labels) == (5, {"key": "value"})


def test_writing_a_known_blob_again_adds_its_new_labels(any_lease: Lease) -> None:
    any_lease.content.put(b"hello", labels={"first": "1"})
    any_lease.content.put(b"hello", labels={"second": "2"})
    blob = any_lease.content.find(HELLO)
    assert blob is not None
    assert blob.labels == {"first": "1", "second": "2"}


def test_an_empty_label_value_removes_the_label(any_lease: Lease) -> None:
    any_lease.content.put(b"hello", labels={"first": "1", "second": "2"})
    any_lease.content.update_labels(HELLO, {"first": ""})
    blob = any_lease.content.find(HELLO)
    assert blob is not None
    assert blob.labels == {"second": "2"}


def test_labels_of_a_missing_blob_cannot_be_set(any_store: Store) -> None:
    with pytest.raises(BlobNotFound, match="is not in the store"):
        any_store.content.update_labels(HELLO, {"key": "value"})


def test_opening_a_missing_blob_names_its_digest(any_store: Store) -> None:
    with pytest.raises(BlobNotFound, match=HELLO):
        any_store.content.open(HELLO)


def test_a_deleted_blob_is_not_found_any_more(any_lease: Lease) -> None:
    any_lease.content.put(b"hello")
    assert any_lease.content.delete(HELLO)
    assert not any_lease.content.delete(HELLO)
    assert any_lease.content.find(HELLO) is None


def test_a_document_of_another_size_than_described_is_refused(any_lease: Lease) -> None:
    any_lease.content.put(b"hello")
    for size in (4, 6):
        with pytest.raises(DigestMismatch, match="has not the"):
            any_lease.content.read(described(b"hello", size=size))


def test_a_blob_too_large_for_a_document_is_not_read_into_memory(any_lease: Lease) -> None:
    any_lease.content.put(b"hello")
    with pytest.raises(InvalidDocument, match="is larger than"):
        any_lease.content.read(described(b"hello", size=MAX_DOCUMENT + 1))


def test_a_verified_stream_gives_the_bytes_of_the_blob(any_lease: Lease) -> None:
    any_lease.content.put(b"hello")
    with any_lease.content.open_verified(described(b"hello")) as stream:
        assert stream.read() == b"hello"


def test_a_batch_becomes_visible_when_its_block_ends(any_lease: Lease) -> None:
    with any_lease.content.batch() as batch:
        batch.put(b"hello", labels={"key": "value"})
        with batch.ingest("other") as ingest:
            ingest.write(b"other")
            ingest.commit()
        assert list(any_lease.content.walk()) == []
        assert batch.has(HELLO)
    assert {blob.digest for blob in any_lease.content.walk()} == {HELLO, Digest.of(b"other")}


def test_a_batch_that_fails_leaves_none_of_its_blobs(any_lease: Lease) -> None:
    with pytest.raises(DigestMismatch), any_lease.content.batch() as batch:
        batch.put(b"hello")
        with batch.ingest("other") as ingest:
            ingest.write(b"other")
            ingest.commit(expected=HELLO)
    assert list(any_lease.content.walk()) == []


def test_the_same_bytes_twice_in_a_batch_make_one_blob(any_lease: Lease) -> None:
    with any_lease.content.batch() as batch:
        batch.put(b"hello")
        batch.put(b"hello", labels={"key": "value"})
    (blob,) = any_lease.content.walk()
    assert blob.labels == {"key": "value"}


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chunks=st.lists(st.binary(max_size=4000), max_size=20))
def test_any_sequence_of_writes_is_read_back_whole(any_lease: Lease, chunks: list[bytes]) -> None:
    with any_lease.content.ingest("chunks") as ingest:
        for chunk in chunks:
            ingest.write(chunk)
        digest = ingest.commit(expected=Digest.of(b"".join(chunks)))
    with any_lease.content.open(digest) as stream:
        assert stream.read() == b"".join(chunks)
