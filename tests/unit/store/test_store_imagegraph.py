"""Following an image's graph: the right platform, and no end to what a hostile index may say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from samples import AMD64, ARM64, Sample, describe, index_of, several, single

from builder.oci.digest import Digest
from builder.oci.manifest import InvalidDocument, encode_document, image_index, image_manifest
from builder.oci.mediatypes import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from builder.platforms import Platform
from builder.store.errors import BlobNotFound, NoMatchingPlatform
from builder.store.imagegraph import MAX_BLOBS, labels_for, platform_manifests, resolve_platform, walk_image

if TYPE_CHECKING:
    from builder.oci.descriptor import Descriptor

ATTESTED = {"vnd.docker.reference.type": "attestation-manifest"}


class Blobs(msgspec.Struct, frozen=True):
    """Documents in memory."""

    sample: Sample

    def read(self, descriptor: Descriptor) -> bytes:
        try:
            return self.sample.blobs[descriptor.digest]
        except KeyError:
            raise BlobNotFound(f"blob {descriptor.digest} is missing") from None


def test_each_platform_gets_its_own_manifest() -> None:
    sample = several()
    found = resolve_platform(Blobs(sample), sample.root, ARM64)
    assert found.descriptor.digest == single(ARM64).root.digest
    assert found.platform == ARM64


def test_the_first_of_two_entries_for_a_platform_is_taken() -> None:
    first, second = single(), single(layer=b"second")
    sample = index_of([part.root.with_platform(AMD64) for part in (first, second)], first, second)
    assert resolve_platform(Blobs(sample), sample.root, AMD64).descriptor.digest == first.root.digest


def test_a_platform_that_is_not_offered_is_an_error_that_names_both() -> None:
    sample = several()
    with pytest.raises(
        NoMatchingPlatform, match=f"no match for platform linux/s390x in manifest {sample.root.digest}"
    ):
        resolve_platform(Blobs(sample), sample.root, Platform("linux", "s390x"))


def test_an_attestation_is_never_taken_for_an_image() -> None:
    image = single()
    marked = msgspec.structs.replace(image.root.with_platform(AMD64), annotations=ATTESTED)
    sample = index_of([marked, image.root.with_platform(Platform("unknown", "unknown"))], image)
    with pytest.raises(NoMatchingPlatform):
        resolve_platform(Blobs(sample), sample.root, AMD64)
    assert list(platform_manifests(Blobs(sample), sample.root)) == []


def test_an_entry_without_platform_is_judged_by_its_config() -> None:
    arm, intel = single(ARM64), single(AMD64)
    sample = index_of([arm.root, intel.root], arm, intel)
    assert resolve_platform(Blobs(sample), sample.root, AMD64).descriptor == intel.root


def test_an_image_inside_a_nested_index_is_found() -> None:
    inner = several()
    sample = index_of([inner.root], inner)
    assert resolve_platform(Blobs(sample), sample.root, ARM64).platform == ARM64


def test_a_single_manifest_is_taken_whatever_its_platform_is() -> None:
    sample = single(ARM64)
    assert resolve_platform(Blobs(sample), sample.root, AMD64).platform == ARM64


def test_something_else_than_an_image_is_refused() -> None:
    root = describe(b"{}", "application/json")
    with pytest.raises(InvalidDocument, match="is no image: its media type is 'application/json'"):
        resolve_platform(Blobs(Sample(root, {}, {})), root, AMD64)


def test_walking_gives_every_blob_once_and_documents_first() -> None:
    sample = several()
    walked = [visited.descriptor.digest for visited in walk_image(Blobs(sample), sample.root)]
    assert walked[0] == sample.root.digest
    assert sorted(walked) == sorted(sample.blobs)


def test_labels_are_numbered_from_the_config_on_and_cover_every_child() -> None:
    sample = single()
    (document,) = [visited.document for visited in walk_image(Blobs(sample), sample.root) if visited.document]
    assert labels_for(document) == {
        f"containerd.io/gc.ref.content.{number}": child.digest
        for number, child in enumerate((document.config, *document.layers))  # type: ignore[union-attr]
    }


def test_indexes_nested_without_end_are_refused() -> None:
    sample = single()
    for _ in range(10):
        sample = index_of([sample.root], sample)
    with pytest.raises(InvalidDocument, match="nested too deeply"):
        resolve_platform(Blobs(sample), sample.root, AMD64)
    with pytest.raises(InvalidDocument, match="nested too deeply"):
        list(walk_image(Blobs(sample), sample.root))


def test_an_index_that_lists_the_same_thousand_times_is_read_once() -> None:
    leaf = index_of([])
    for _ in range(3):
        leaf = index_of([leaf.root] * 1000, leaf)
    with pytest.raises(NoMatchingPlatform):
        resolve_platform(Blobs(leaf), leaf.root, AMD64)
    assert len(list(walk_image(Blobs(leaf), leaf.root))) == 4


def test_an_image_of_too_many_blobs_is_refused() -> None:
    layers = tuple(describe(b"%d" % number, OCI_LAYER) for number in range(MAX_BLOBS))
    content = encode_document(image_manifest(describe(b"{}", OCI_CONFIG), layers))
    root = describe(content, OCI_MANIFEST)
    with pytest.raises(InvalidDocument, match="has too many blobs"):
        list(walk_image(Blobs(Sample(root, {root.digest: content}, {})), root))


def test_a_manifest_that_calls_itself_an_index_is_refused() -> None:
    sample = single()
    lying = msgspec.structs.replace(sample.root, media_type=OCI_INDEX)
    with pytest.raises(InvalidDocument, match="expected index but found manifest"):
        resolve_platform(Blobs(sample), lying, AMD64)


def test_an_index_that_calls_itself_a_manifest_is_refused() -> None:
    content = encode_document(image_index(()))
    lying = describe(content, OCI_MANIFEST)
    with pytest.raises(InvalidDocument, match="expected manifest but found index"):
        list(walk_image(Blobs(Sample(lying, {Digest.of(content): content}, {})), lying))
