"""The documents of an image: their exact bytes, and that equal results make equal bytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest
from made import AMD64, ARM64, EPOCH, EPOCH_TEXT, image, layer

from builder.oci.config import History
from builder.oci.digest import Digest
from builder.oci.mediatypes import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
)
from exporter.annotations import Annotation
from exporter.assemble import Assembled, assemble
from exporter.errors import ExportError

if TYPE_CHECKING:
    from builder.oci.descriptor import Descriptor

LATER = "2030-01-01T00:00:00Z"


def text(assembled: Assembled, descriptor: Descriptor) -> str:
    (content,) = {each.content for each in assembled.documents if each.descriptor.digest == descriptor.digest}
    return content.decode()


def test_the_manifest_has_the_bytes_that_buildkit_would_write() -> None:
    assembled = assemble([image(AMD64, layer(b"one"))])
    config = assembled.platforms[0].config
    assert text(assembled, assembled.root) == (
        "{\n"
        '  "schemaVersion": 2,\n'
        '  "mediaType": "application/vnd.oci.image.manifest.v1+json",\n'
        '  "config": {\n'
        '    "mediaType": "application/vnd.oci.image.config.v1+json",\n'
        f'    "digest": "{config.digest}",\n'
        f'    "size": {config.size}\n'
        "  },\n"
        '  "layers": [\n'
        "    {\n"
        '      "mediaType": "application/vnd.oci.image.layer.v1.tar",\n'
        f'      "digest": "{Digest.of(b"one")}",\n'
        '      "size": 3\n'
        "    }\n"
        "  ]\n"
        "}"
    )


def test_the_config_is_one_sorted_line_with_rootfs_and_history() -> None:
    assembled = assemble([image(AMD64, layer(b"one", created=LATER), history=(History(created_by="x"),))])
    assert text(assembled, assembled.platforms[0].config) == (
        '{"architecture":"amd64","config":{"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:'
        '/sbin:/bin"],"WorkingDir":"/"},"created":"2030-01-01T00:00:00Z","history":[{"created":'
        '"2030-01-01T00:00:00Z","created_by":"x"}],"os":"linux","rootfs":{"type":"layers",'
        f'"diff_ids":["{Digest.of(b"one")}"]}}}}'
    )


def test_one_platform_makes_a_manifest_that_knows_its_platform() -> None:
    root = assemble([image()]).root
    assert root.media_type == OCI_MANIFEST
    assert root.platform is not None
    assert root.platform.platform == AMD64


def test_several_platforms_make_an_index_in_their_order() -> None:
    assembled = assemble([image(ARM64), image(AMD64)])
    index = json.loads(text(assembled, assembled.root))
    assert assembled.root.media_type == OCI_INDEX
    assert [entry["platform"] for entry in index["manifests"]] == [
        {"architecture": "arm64", "os": "linux"},
        {"architecture": "amd64", "os": "linux"},
    ]


def test_one_platform_makes_an_index_where_it_is_asked_for() -> None:
    assembled = assemble([image()], multi_platform=True)
    assert assembled.root.media_type == OCI_INDEX
    assert [part.platform for part in assembled.platforms] == [AMD64]


def test_equal_results_make_equal_bytes() -> None:
    first, second = (assemble([image(AMD64, layer(b"one")), image(ARM64, layer(b"one"))]) for _ in range(2))
    assert first == second


def test_every_document_is_described_and_labelled_for_the_collector() -> None:
    assembled = assemble([image(AMD64, layer(b"one")), image(ARM64)])
    for document in assembled.documents:
        assert document.descriptor.digest == Digest.of(document.content)
        assert document.descriptor.size == len(document.content)
    manifest = next(each for each in assembled.documents if each.descriptor.media_type == OCI_MANIFEST)
    assert manifest.labels == {
        "containerd.io/gc.ref.content.0": assembled.platforms[0].config.digest,
        "containerd.io/gc.ref.content.1": Digest.of(b"one"),
    }


def test_layers_of_docker_types_get_oci_types() -> None:
    docker = layer(b"one")
    docker = msgspec.structs.replace(
        docker, descriptor=msgspec.structs.replace(docker.descriptor, media_type=DOCKER_LAYER)
    )
    (part,) = assemble([image(AMD64, docker)]).platforms
    assert part.layers[0].descriptor.media_type == OCI_LAYER


def test_annotations_of_this_machine_alone_are_left_out() -> None:
    private = {"containerd.io/uncompressed": "x", "containerd.io/distribution.source.host": "y"}
    (part,) = assemble([image(AMD64, layer(b"one", annotations={**private, "kept": "z"}))]).platforms
    assert part.layers[0].descriptor.annotations == {"kept": "z"}


def test_an_epoch_lowers_the_time_of_the_image() -> None:
    assembled = assemble([image(AMD64, layer(b"one", created=LATER), created=LATER)], epoch=EPOCH)
    config = json.loads(text(assembled, assembled.platforms[0].config))
    assert config["created"] == EPOCH_TEXT
    assert [entry["created"] for entry in config["history"]] == [EPOCH_TEXT]


def test_a_time_in_the_config_is_kept_when_there_is_no_epoch() -> None:
    assembled = assemble([image(AMD64, layer(b"one", created=LATER), created=EPOCH_TEXT)])
    assert json.loads(text(assembled, assembled.platforms[0].config))["created"] == EPOCH_TEXT


def test_annotations_land_on_the_document_of_their_level() -> None:
    annotations = [
        Annotation(level="manifest", key="m", value="1"),
        Annotation(level="manifest", key="m", value="2", platform=ARM64),
        Annotation(level="manifest-descriptor", key="md", value="3", platform=AMD64),
        Annotation(level="index", key="i", value="4"),
        Annotation(level="index-descriptor", key="id", value="5"),
    ]
    assembled = assemble([image(AMD64), image(ARM64)], annotations=annotations)
    index = json.loads(text(assembled, assembled.root))
    manifests = [json.loads(text(assembled, part.manifest)) for part in assembled.platforms]
    assert [manifest["annotations"] for manifest in manifests] == [{"m": "1"}, {"m": "2"}]
    assert [entry.get("annotations") for entry in index["manifests"]] == [{"md": "3"}, None]
    assert index["annotations"] == {"i": "4"}
    assert assembled.root.annotations == {"id": "5"}


def test_an_annotation_for_a_platform_that_is_not_built_is_refused() -> None:
    annotation = Annotation(key="k", value="v", platform=ARM64)
    with pytest.raises(ExportError, match="invalid annotation: no platform linux/arm64 found in source"):
        assemble([image(AMD64)], annotations=[annotation])


def test_an_annotation_of_an_index_that_will_not_be_is_refused() -> None:
    annotation = Annotation(level="index", key="k", value="v")
    with pytest.raises(ExportError, match="index annotations not supported for single platform export"):
        assemble([image(AMD64)], annotations=[annotation])


@pytest.mark.parametrize("images", [[], [image(AMD64), image(AMD64)]], ids=["none", "twice"])
def test_platforms_must_be_there_and_differ(images: list[object]) -> None:
    with pytest.raises(ExportError, match="at least one platform, and each of them once"):
        assemble(images)  # type: ignore[arg-type]


def test_with_docker_types_every_document_has_one() -> None:
    layers = (layer(b"one"), layer(b"two", annotations={"a": "b"}))
    assembled = assemble([image(AMD64, *layers), image(ARM64)], docker_types=True)
    types = {each.descriptor.media_type for each in assembled.documents}
    assert types == {DOCKER_INDEX, DOCKER_MANIFEST, DOCKER_CONFIG}
    descriptors = [each.descriptor for each in assembled.platforms[0].layers]
    assert [(each.media_type, each.annotations) for each in descriptors] == [(DOCKER_LAYER, {})] * 2


def test_documents_of_docker_types_take_no_annotations() -> None:
    with pytest.raises(ExportError, match='cannot export annotations with "oci-mediatypes=false"'):
        assemble([image()], annotations=[Annotation(key="a", value="b")], docker_types=True)
