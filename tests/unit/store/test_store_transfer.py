"""Copying an image into a store: only what it lacks, complete or without a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from samples import describe, index_of, put, several, single

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.manifest import encode_document, image_manifest
from builder.oci.mediatypes import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from builder.store.errors import BlobNotFound, DigestMismatch, DriverError
from builder.store.imagegraph import labels_for, walk_image
from builder.store.selection import open_store
from builder.store.transfer import copy_image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from builder.store.embedded import EmbeddedStore
    from builder.store.protocol import Lease, Store

NAMES = ["docker.io/library/hello:1", "docker.io/library/hello:2"]


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Lease]:
    """Content of another state root, held by a lease."""
    with open_store(tmp_path / "source") as opened, opened.lease() as lease:
        yield lease


def test_a_copy_has_every_blob_under_every_name(source: Lease, any_store: Store) -> None:
    sample = single()
    images = copy_image(source.content, put(source.content, sample), any_store, names=NAMES)
    assert [image.name for image in images] == NAMES
    with any_store.lease() as lease:
        for digest, content in sample.blobs.items():
            with lease.content.open(digest) as stream:
                assert stream.read() == content


def test_documents_keep_what_they_point_at(source: Lease, store: EmbeddedStore) -> None:
    root = put(source.content, several())
    copy_image(source.content, root, store, names=NAMES)
    for visited in walk_image(store.content, root):
        if visited.document is not None:
            blob = store.content.find(visited.descriptor.digest)
            assert blob is not None
            assert blob.labels == labels_for(visited.document)


def test_labels_are_set_on_new_and_on_known_blobs(source: Lease, any_store: Store) -> None:
    root = put(source.content, single())
    layer = Digest.of(b"a layer")
    for value in ("1", "2"):
        copy_image(source.content, root, any_store, names=NAMES, labels={layer: {"key": value}})
        blob = any_store.content.find(layer)
        assert blob is not None
        assert blob.labels == {"key": value}


def test_only_what_the_target_lacks_is_copied(source: Lease, any_store: Store) -> None:
    copied: list[Descriptor] = []
    root = put(source.content, single())
    for _ in range(2):
        copy_image(source.content, root, any_store, names=NAMES, progress=lambda blob, _: copied.append(blob))
    assert len(copied) == 2
    assert len({blob.digest for blob in copied}) == 2


def test_an_image_with_a_missing_blob_gets_no_name(source: Lease, any_store: Store) -> None:
    root = put(source.content, single())
    source.content.delete(Digest.of(b"a layer"))
    with pytest.raises(BlobNotFound):
        copy_image(source.content, root, any_store, names=NAMES)
    assert any_store.images.all() == ()


def test_a_layer_of_another_size_than_promised_gets_no_name(source: Lease, any_store: Store) -> None:
    layer = Digest.of(b"longer than said")
    source.content.put(b"longer than said")
    document = image_manifest(
        describe(b"{}", OCI_CONFIG), (Descriptor(media_type=OCI_LAYER, digest=layer, size=3),)
    )
    source.content.put(b"{}")
    root = describe(encode_document(document), OCI_MANIFEST)
    source.content.put(encode_document(document))
    with pytest.raises(DigestMismatch, match="bytes came where 3 were expected"):
        copy_image(source.content, root, any_store, names=NAMES)
    assert any_store.images.all() == ()


def test_the_classic_store_is_asked_before_anything_is_copied(source: Lease, tmp_path: Path) -> None:
    root = put(source.content, several())
    with open_store(tmp_path / "classic", driver="docker") as classic:
        with pytest.raises(DriverError, match="Multi-platform build is not supported"):
            copy_image(source.content, root, classic, names=NAMES)
        assert list(classic.content.walk()) == []


def test_an_index_inside_an_index_is_copied_whole(source: Lease, any_store: Store) -> None:
    inner = single()
    sample = index_of([inner.root], inner)
    copy_image(source.content, put(source.content, sample), any_store, names=NAMES)
    assert {blob.digest for blob in any_store.content.walk()} >= sample.blobs.keys()
