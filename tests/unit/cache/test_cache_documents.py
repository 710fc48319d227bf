"""Manifests of caches: both forms are read, whoever wrote them, and what is too large is not read at all."""

from __future__ import annotations

import msgspec
import pytest

from builder.cache.remote.config import BUILDKIT_MAX_CONFIG, CACHE_CONFIG, MAX_CONFIG, encode_inline
from builder.cache.remote.documents import CacheDocuments, cache_documents, read_cache
from builder.cache.remote.places import INLINE
from builder.cache.remote.stacks import CachedLayer, CachedStep, describe_inline
from builder.oci.config import ImageConfig, RootFS, encode_config
from builder.oci.descriptor import Descriptor
from builder.oci.digest import DiffID, Digest
from builder.oci.manifest import InvalidDocument, encode_document, image_index, image_manifest
from builder.oci.mediatypes import DOCKER_INDEX, DOCKER_LAYER, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST

LAYER = CachedLayer(
    descriptor=Descriptor(media_type=OCI_LAYER + "+gzip", digest=Digest.of(b"blob"), size=4),
    diff_id=DiffID(Digest.of(b"tar")),
    created="2024-05-01T10:00:00Z",
)
STEP = CachedStep(key=Digest.of(b"key"), definition=Digest.of(b"definition"), layers=(LAYER,))


class Documents:
    """Blobs in memory, and which of them were asked for."""

    def __init__(self) -> None:
        self.blobs: dict[Digest, bytes] = {}
        self.asked: list[Digest] = []

    def add(self, media_type: str, content: bytes) -> Descriptor:
        digest = Digest.of(content)
        self.blobs[digest] = content
        return Descriptor(media_type=media_type, digest=digest, size=len(content))

    def add_cache(self, made: CacheDocuments) -> Descriptor:
        self.add(CACHE_CONFIG, made.config_content)
        return self.add(made.root.media_type, made.manifest)

    def read(self, descriptor: Descriptor) -> bytes:
        self.asked.append(descriptor.digest)
        return self.blobs[descriptor.digest]


@pytest.mark.parametrize(("image_manifest", "media_type"), [(True, OCI_MANIFEST), (False, OCI_INDEX)])
def test_both_forms_are_read_and_no_layer_is(*, image_manifest: bool, media_type: str) -> None:
    documents = Documents()
    made = cache_documents([STEP], image_manifest=image_manifest)
    (known,) = read_cache(documents, documents.add_cache(made))
    assert made.root.media_type == media_type
    assert known.result(STEP.key) == (LAYER,)
    assert documents.asked == [made.root.digest, made.config.digest]


def test_an_index_of_docker_lists_layers_of_docker_and_is_read_as_well() -> None:
    documents = Documents()
    made = cache_documents([STEP], image_manifest=False, oci_types=False)
    (known,) = read_cache(documents, documents.add_cache(made))
    found = known.result(STEP.key)
    assert made.root.media_type == DOCKER_INDEX
    assert found is not None
    assert found[0].descriptor.media_type == DOCKER_LAYER + ".gzip"


def image(documents: Documents, *layers: CachedLayer, diff_ids: int | None = None) -> Descriptor:
    """An image of `layers` with a cache in its config."""
    payload = encode_inline(describe_inline([STEP], [LAYER]))
    config = ImageConfig(
        architecture="amd64",
        os="linux",
        rootfs=RootFS(diff_ids=tuple(layer.diff_id for layer in layers)[:diff_ids]),
        extra={INLINE: msgspec.Raw(payload)},
    )
    described = documents.add(OCI_CONFIG, encode_config(config))
    manifest = image_manifest(described, tuple(layer.descriptor for layer in layers))
    return documents.add(OCI_MANIFEST, encode_document(manifest))


def test_every_platform_of_an_index_may_have_a_cache_inline() -> None:
    documents = Documents()
    index = image_index((image(documents, LAYER), image(documents, LAYER)))
    found = read_cache(documents, documents.add(OCI_INDEX, encode_document(index)))
    assert [known.result(STEP.key) is not None for known in found] == [True, True]


def test_an_image_whose_config_speaks_of_other_layers_is_refused() -> None:
    documents = Documents()
    with pytest.raises(InvalidDocument, match="mismatching manifest and config"):
        read_cache(documents, image(documents, LAYER, diff_ids=0))


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, OCI_INDEX])
def test_a_manifest_that_says_it_is_too_large_is_not_read(media_type: str) -> None:
    documents = Documents()
    large = Descriptor(media_type=media_type, digest=Digest.of(b"x"), size=MAX_CONFIG + 1)
    with pytest.raises(InvalidDocument, match=r"is too large \(8388609 > 8388608\)"):
        read_cache(documents, large)
    assert documents.asked == []


def test_a_cache_that_nobody_would_read_is_not_made() -> None:
    steps = [CachedStep(key=Digest.of(b"%d" % n)) for n in range(120_000)]
    with pytest.raises(InvalidDocument, match="cache config is too large"):
        cache_documents(steps)


def test_a_cache_of_ten_thousand_steps_is_read_though_it_is_larger_than_buildkit_allows() -> None:
    documents = Documents()
    keys = [Digest.of(b"%d" % n) for n in range(10_000)]
    made = cache_documents(
        CachedStep(key=key, definition=Digest.of(key.encode()), layers=(LAYER,)) for key in keys
    )
    (known,) = read_cache(documents, documents.add_cache(made))
    assert made.config.size > BUILDKIT_MAX_CONFIG
    assert known.result(keys[-1]) == (LAYER,)
