"""Pulling: names become digests, what comes is checked, what is cut goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pictures import describe, several, single
from tiny_registry import Handler, TinyRegistry, cut_after, refused, when

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.manifest import InvalidDocument
from builder.oci.mediatypes import OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from builder.oci.reference import parse_reference
from builder.registry.copying import copy_blob
from builder.registry.errors import (
    Interrupted,
    InvalidAnswer,
    NotFound,
    RateLimited,
    Unavailable,
    WrongContent,
)
from builder.store.imagegraph import resolve_platform, walk_image

if TYPE_CHECKING:
    from builder.registry.reader import RegistryReader
    from builder.store.protocol import Lease

LAYER = bytes(range(256)) * 4000


def test_a_tag_is_resolved_with_one_request_without_a_body(
    tiny: TinyRegistry, reader: RegistryReader
) -> None:
    picture = several()
    tiny.add_image("a/b", picture.root.digest, picture.blobs)

    found = reader.resolve(parse_reference(f"{tiny.host}/a/b:1"))

    assert (found.media_type, found.digest, found.size) == (OCI_INDEX, picture.root.digest, picture.root.size)
    assert tiny.requests == [("HEAD", "/v2/a/b/manifests/1")]


def test_a_registry_without_head_is_asked_with_get(tiny: TinyRegistry, reader: RegistryReader) -> None:
    picture = several()
    tiny.add_image("a/b", picture.root.digest, picture.blobs)
    tiny.misbehave = [when("HEAD", "manifests", refused(405, "UNSUPPORTED"))]

    assert reader.resolve(parse_reference(f"{tiny.host}/a/b:1")).digest == picture.root.digest


def test_a_document_of_an_unsaid_kind_is_what_it_calls_itself(
    tiny: TinyRegistry, reader: RegistryReader
) -> None:
    picture = single()
    tiny.add_image("a/b", picture.root.digest, picture.blobs)
    tiny.manifests["a/b", "1"] = "application/json", picture.blobs[picture.root.digest]

    assert reader.resolve(parse_reference(f"{tiny.host}/a/b:1")).media_type == OCI_MANIFEST


def test_a_name_that_is_not_there_is_said_in_one_line(tiny: TinyRegistry, reader: RegistryReader) -> None:
    with pytest.raises(NotFound) as caught:
        reader.resolve(parse_reference(f"{tiny.host}/a/b:nope"))

    assert caught.value.message == f"{tiny.host}/a/b:nope: not found"


def test_a_schema_1_manifest_is_refused_by_its_kind(tiny: TinyRegistry, reader: RegistryReader) -> None:
    kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    tiny.manifests["a/b", "1"] = kind, b'{"schemaVersion":1}'

    with pytest.raises(InvalidDocument, match=r"v1\+prettyjws"):
        reader.resolve(parse_reference(f"{tiny.host}/a/b:1"))


def test_an_image_is_read_for_one_platform_without_its_layers(
    tiny: TinyRegistry, reader: RegistryReader
) -> None:
    picture = several()
    tiny.add_image("a/b", picture.root.digest, picture.blobs)
    root = reader.resolve(parse_reference(f"{tiny.host}/a/b:1"))

    for _ in range(2):
        found = resolve_platform(reader, root, single().root.platform.platform)  # type: ignore[union-attr]

    assert found.manifest.layers[0].digest == Digest.of(b"a layer")
    assert len(tiny.requests) == 4  # the tag, the index, the manifest, the config; each once


def test_a_manifest_with_other_bytes_is_an_error(tiny: TinyRegistry, reader: RegistryReader) -> None:
    picture = single()
    tiny.manifests["a/b", picture.root.digest] = OCI_MANIFEST, picture.blobs[picture.root.digest] + b" "

    with pytest.raises(WrongContent, match="other bytes"):
        reader.read(picture.root)


def test_a_truncated_manifest_is_an_error(tiny: TinyRegistry, reader: RegistryReader) -> None:
    picture = single()
    tiny.manifests["a/b", picture.root.digest] = OCI_MANIFEST, picture.blobs[picture.root.digest][:-20]

    with pytest.raises(WrongContent):
        reader.read(picture.root)


def test_an_index_that_claims_to_list_itself_ends_in_an_error(
    tiny: TinyRegistry, reader: RegistryReader
) -> None:
    fixed = Digest.of(b"whatever")
    body = f'{{"schemaVersion":2,"manifests":[{{"mediaType":"{OCI_INDEX}","digest":"{fixed}","size":180}}]}}'
    tiny.manifests["a/b", fixed] = OCI_INDEX, body.encode()

    with pytest.raises(WrongContent):
        list(walk_image(reader, Descriptor(media_type=OCI_INDEX, digest=fixed, size=len(body))))


def test_a_document_too_large_for_memory_is_not_asked_for(tiny: TinyRegistry, reader: RegistryReader) -> None:
    huge = Descriptor(media_type=OCI_MANIFEST, digest=Digest.of(b"x"), size=1 << 32)

    with pytest.raises(InvalidDocument, match="larger"):
        reader.read(huge)
    assert tiny.requests == []


def test_a_tag_without_length_is_not_read_without_end(tiny: TinyRegistry, reader: RegistryReader) -> None:
    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.close_connection = True
        piece = b"x" * (1 << 20)
        while True:
            handler.wfile.write(piece)

    tiny.misbehave = [when("HEAD", "", refused(405, "UNSUPPORTED")), when("GET", "", endless)]

    with pytest.raises(InvalidDocument, match="larger"):
        reader.resolve(parse_reference(f"{tiny.host}/a/b:1"))


def test_a_cut_blob_goes_on_where_it_was_cut(tiny: TinyRegistry, reader: RegistryReader) -> None:
    digest = Digest.of(LAYER)
    tiny.blobs["a/b", digest] = LAYER
    tiny.misbehave = [when("GET", digest, cut_after(300_000), times=3)]

    with reader.open(digest) as stream:
        content = stream.read()

    assert content == LAYER
    assert [each.get("range") for each in tiny.headers] == [
        None, "bytes=300000-", "bytes=600000-", "bytes=900000-",
    ]  # fmt: skip


def test_a_host_that_ignores_ranges_is_read_from_the_start_and_skipped(
    tiny: TinyRegistry, reader: RegistryReader
) -> None:
    digest = Digest.of(LAYER)
    tiny.blobs["a/b", digest] = LAYER

    def whole(handler: Handler) -> None:
        handler.reply(200, LAYER)

    tiny.misbehave = [when("GET", digest, cut_after(300_000)), when("GET", digest, whole)]

    with reader.open(digest) as stream:
        assert stream.read() == LAYER


def test_another_part_than_asked_for_is_refused(tiny: TinyRegistry, reader: RegistryReader) -> None:
    digest = Digest.of(LAYER)
    tiny.blobs["a/b", digest] = LAYER

    def wrong_part(handler: Handler) -> None:
        handler.reply(206, LAYER[5:], Content_Range=f"bytes 5-{len(LAYER) - 1}/{len(LAYER)}")

    tiny.misbehave = [when("GET", digest, cut_after(300_000)), when("GET", digest, wrong_part)]

    with reader.open(digest) as stream, pytest.raises(InvalidAnswer, match="another part"):
        stream.read()


def test_a_blob_that_is_cut_without_progress_is_given_up(tiny: TinyRegistry, reader: RegistryReader) -> None:
    digest = Digest.of(LAYER)
    tiny.blobs["a/b", digest] = LAYER
    tiny.misbehave = [when("GET", digest, cut_after(0), times=100)]

    with reader.open(digest) as stream, pytest.raises(Interrupted):
        stream.read()
    assert len(tiny.requests) == 3


@pytest.mark.parametrize(
    ("status", "code"), [(500, "UNKNOWN"), (503, "UNAVAILABLE"), (429, "TOOMANYREQUESTS")]
)
def test_an_overloaded_registry_is_asked_again(
    tiny: TinyRegistry, reader: RegistryReader, status: int, code: str
) -> None:
    picture = single()
    tiny.add_image("a/b", picture.root.digest, picture.blobs)
    tiny.misbehave = [when("GET", "manifests", refused(status, code, Retry_After="0"), times=2)]

    assert reader.read(picture.root) == picture.blobs[picture.root.digest]


def test_a_registry_that_keeps_failing_is_given_up_with_its_own_words(
    tiny: TinyRegistry, reader: RegistryReader
) -> None:
    tiny.misbehave = [when("GET", "blobs", refused(503, "UNAVAILABLE"), times=100)]

    with pytest.raises(Unavailable, match="UNAVAILABLE: about unavailable"):
        reader.open(Digest.of(b"x"))
    assert len(tiny.requests) == 3


def test_a_registry_that_asks_for_a_long_wait_is_not_waited_for(
    tiny: TinyRegistry, reader: RegistryReader
) -> None:
    tiny.misbehave = [when("GET", "blobs", refused(429, "TOOMANYREQUESTS", Retry_After="3600"), times=100)]

    with pytest.raises(RateLimited, match="wait 3600 seconds"):
        reader.open(Digest.of(b"x"))
    assert len(tiny.requests) == 1


def test_a_blob_arrives_in_the_store_verified(
    tiny: TinyRegistry, reader: RegistryReader, lease: Lease
) -> None:
    blob = describe(LAYER, OCI_LAYER)
    tiny.blobs["a/b", blob.digest] = LAYER

    copy_blob(reader, blob, lease.content)

    with lease.content.open(blob.digest) as stream:
        assert stream.read() == LAYER


def test_wrong_bytes_do_not_get_into_the_store(
    tiny: TinyRegistry, reader: RegistryReader, lease: Lease
) -> None:
    blob = describe(LAYER, OCI_LAYER)
    tiny.blobs["a/b", blob.digest] = LAYER[:-1] + b"?"

    with pytest.raises(WrongContent, match=tiny.host):
        copy_blob(reader, blob, lease.content)
    assert lease.content.find(blob.digest) is None


def test_a_blob_longer_than_promised_is_not_read_to_its_end(
    tiny: TinyRegistry, reader: RegistryReader, lease: Lease
) -> None:
    blob = describe(b"short", OCI_LAYER)
    moved: list[int] = []
    tiny.blobs["a/b", blob.digest] = LAYER

    with pytest.raises(WrongContent, match="6 bytes came where 5 were expected"):
        copy_blob(reader, blob, lease.content, watch=lambda transfer: moved.append(transfer.moved))
    assert moved == [6]


def test_a_blob_that_is_here_costs_no_request(
    tiny: TinyRegistry, reader: RegistryReader, lease: Lease
) -> None:
    blob = describe(LAYER, OCI_LAYER)
    lease.content.put(LAYER)

    copy_blob(reader, blob, lease.content)
    assert tiny.requests == []


def test_a_redirect_is_followed_without_credentials_and_headers(
    tiny: TinyRegistry, another: TinyRegistry, reader: RegistryReader
) -> None:
    digest = Digest.of(LAYER)
    another.blobs["x", digest] = LAYER
    target = f"{another.base}/v2/x/blobs/{digest}"
    tiny.misbehave = [when("GET", digest, lambda handler: handler.reply(307, Location=target))]

    with reader.open(digest) as stream:
        assert stream.read() == LAYER
    assert "authorization" not in another.headers[0]


def test_redirects_in_a_circle_end(tiny: TinyRegistry, reader: RegistryReader) -> None:
    def around(handler: Handler) -> None:
        handler.reply(302, Location=handler.path)

    tiny.misbehave = [when("GET", "", around, times=1000)]

    with pytest.raises(InvalidAnswer, match="more than 5 times"):
        reader.open(Digest.of(b"x"))
    assert len(tiny.requests) == 6


@pytest.mark.parametrize("location", ["file:///etc/passwd", "", "ftp://x/y", "http://[::1/x"])
def test_a_redirect_to_what_is_no_address_is_refused(
    tiny: TinyRegistry, reader: RegistryReader, location: str
) -> None:
    tiny.misbehave = [when("GET", "", lambda handler: handler.reply(302, Location=location))]

    with pytest.raises(InvalidAnswer):
        reader.open(Digest.of(b"x"))
