"""Content of the embedded store: what stands on disk, and what happens when it is not what it should be."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.store.errors import BlobNotFound, DigestMismatch, StoreError
from builder.store.ingest import Ingest
from builder.store.selection import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from builder.store.embedded import EmbeddedStore

HELLO = Digest.of(b"hello")
TARGET = Descriptor(media_type="text/plain", digest=HELLO, size=5)


def damage(store: EmbeddedStore, content: bytes) -> None:
    path = store.root.blob(HELLO.hex)
    path.write_bytes(content)


def test_a_blob_lies_under_its_digest_and_nothing_else_is_left(store: EmbeddedStore) -> None:
    with store.lease() as lease:
        lease.content.put(b"hello")
    assert os.listdir(store.root.blobs) == [HELLO.hex]
    assert os.listdir(store.root.ingests) == []
    assert os.listdir(store.root.leases) == []


def test_a_wrong_document_is_an_error_and_is_not_kept(store: EmbeddedStore) -> None:
    with store.lease() as lease:
        lease.content.put(b"hello")
        damage(store, b"hullo")
        with pytest.raises(DigestMismatch, match="it was removed"):
            lease.content.read(TARGET)
        assert not lease.content.has(HELLO)
    assert os.listdir(store.root.blobs) == []


def test_a_wrong_stream_is_an_error_at_its_end_and_is_not_kept(store: EmbeddedStore) -> None:
    with store.lease() as lease:
        lease.content.put(b"hello")
        damage(store, b"hullo")
        with lease.content.open_verified(TARGET) as stream, pytest.raises(DigestMismatch):
            stream.read()
        assert lease.content.find(HELLO) is None


def test_a_truncated_blob_is_refused_when_it_is_opened(store: EmbeddedStore) -> None:
    with store.lease() as lease:
        lease.content.put(b"hello")
    damage(store, b"hell")
    with pytest.raises(DigestMismatch, match="has 4 bytes on disk, not 5"):
        store.content.open(HELLO)


def test_a_lost_file_is_reported_and_may_be_written_again(store: EmbeddedStore) -> None:
    with store.lease() as lease:
        lease.content.put(b"hello")
        store.root.blob(HELLO.hex).unlink()
        with pytest.raises(BlobNotFound, match="is lost: No such file"):
            store.content.open(HELLO)
    with store.lease() as lease:
        assert not lease.content.has(HELLO)
        lease.content.put(b"hello")
        assert lease.content.read(TARGET) == b"hello"


def test_a_blob_whose_file_was_cut_does_not_count_as_here(store: EmbeddedStore) -> None:
    with store.lease() as lease:
        lease.content.put(b"hello")
    damage(store, b"he")
    with store.lease() as lease:
        assert not lease.content.has(HELLO)


def test_a_full_disk_is_named_and_leaves_nothing(store: EmbeddedStore, tmp_path: Path) -> None:
    limited = tmp_path / "full"
    limited.symlink_to("/dev/full")
    ingest = Ingest(tmp_path / "blob", "layer-1", has=lambda _: False, accept=lambda _: None)
    ingest._file.close()
    ingest._file = limited.open("wb", buffering=0)
    with pytest.raises(StoreError, match=f"cannot write layer-1 to the store: {os.strerror(errno.ENOSPC)}"):
        ingest.write(b"hello")
    ingest.close()
    assert not (tmp_path / "blob").exists()


def test_another_namespace_adopts_a_blob_that_it_asks_for(tmp_path: Path) -> None:
    with open_store(tmp_path / "root", driver="containerd") as one, one.lease() as lease:
        lease.content.put(b"hello", labels={"key": "value"})
    with open_store(tmp_path / "root", driver="docker") as other, other.lease() as lease:
        assert other.content.find(HELLO) is None
        assert lease.content.has(HELLO)
        blob = other.content.find(HELLO)
        assert blob is not None
        assert blob.labels == {"key": "value"}
