"""Manifests, indexes and configs: read strictly, written as BuildKit writes them."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.oci.config import decode_config, encode_config, scratch_config
from builder.oci.descriptor import Descriptor
from builder.oci.digest import DiffID, Digest, InvalidDigest, chain_id
from builder.oci.manifest import (
    InvalidDocument,
    decode_index,
    decode_manifest,
    encode_document,
    image_index,
    image_manifest,
)
from builder.oci.mediatypes import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from builder.platforms import Platform

BLOB = Descriptor(media_type=OCI_CONFIG, digest=Digest.of(b"{}"), size=2)


@pytest.mark.parametrize(
    "text",
    ["", "sha256:", "sha256:" + "A" * 64, "sha256:../../etc", "sha512:" + "a" * 128, "sha256:" + "a" * 65],
)
def test_only_verifiable_digests_parse(text: str) -> None:
    with pytest.raises(InvalidDigest):
        Digest.parse(text)


def test_the_chain_id_of_one_layer_is_its_diff_id() -> None:
    diff_id = DiffID(Digest.of(b"layer"))
    assert chain_id([diff_id]) == diff_id


def test_the_chain_id_of_two_layers_covers_their_order() -> None:
    low, high = DiffID(Digest.of(b"low")), DiffID(Digest.of(b"high"))
    assert chain_id([low, high]) == Digest.of(f"{low} {high}".encode())


def test_a_manifest_is_written_with_two_spaces_in_the_order_of_the_specification() -> None:
    text = encode_document(image_manifest(BLOB, ())).decode()
    assert text.startswith('{\n  "schemaVersion": 2,\n  "mediaType": ') and not text.endswith("\n")
    assert list(json.loads(text)) == ["schemaVersion", "mediaType", "config", "layers"]


def test_markup_in_annotations_is_escaped_as_go_escapes_it() -> None:
    document = encode_document(image_index((), annotations={"a": "<b>&\u2028"}))
    assert rb"\u003cb\u003e\u0026\u2028" in document


def test_an_index_described_as_a_manifest_is_refused() -> None:
    with pytest.raises(InvalidDocument, match="expected manifest but found index"):
        decode_manifest(encode_document(image_index(())), OCI_MANIFEST)


def test_a_manifest_described_as_an_index_is_refused() -> None:
    with pytest.raises(InvalidDocument, match="expected index but found manifest"):
        decode_index(encode_document(image_manifest(BLOB, ())), OCI_INDEX)


def test_an_error_in_a_document_names_the_path_of_the_member() -> None:
    document = b'{"schemaVersion":2,"manifests":[{"mediaType":"x","digest":"sha256:no","size":1}]}'
    with pytest.raises(InvalidDocument, match=r"\$\.manifests\[0\]\.digest"):
        decode_index(document, OCI_INDEX)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_manifest_or_an_error(content: bytes) -> None:
    with pytest.raises(InvalidDocument):
        decode_manifest(content, OCI_MANIFEST)


def test_members_that_dockyard_does_not_know_survive_in_a_config() -> None:
    original = b'{"os":"linux","architecture":"amd64","moby.buildkit.cache.v0":"eA==","config":{}}'
    assert json.loads(encode_config(decode_config(original)))["moby.buildkit.cache.v0"] == "eA=="


def test_a_config_is_one_line_with_sorted_members() -> None:
    text = encode_config(scratch_config(Platform("linux", "arm", "v7")))
    members = list(json.loads(text))
    assert members == sorted(members) and b"\n" not in text


@pytest.mark.parametrize(
    "text",
    [b"{}", b'{"os":"linux"}', b"[]", b'{"os":"linux","architecture":"x","rootfs":{"type":"zip"}}', b"\xff"],
)
def test_a_config_that_names_no_platform_or_layers_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidDocument):
        decode_config(text)


def test_a_negative_size_in_a_descriptor_is_refused() -> None:
    with pytest.raises(ValueError, match="negative size"):
        msgspec.structs.replace(BLOB, size=-1)
