"""Pushing: blobs before manifests, what is there is not sent, what was cut goes on."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO

import pytest
from pictures import Picture, describe, several, single
from tiny_registry import CHUNK, Handler, TinyRegistry, refused, when

from builder.oci.digest import Digest
from builder.oci.mediatypes import OCI_LAYER
from builder.registry.errors import Denied, Interrupted, InvalidAnswer, Refusal, WrongContent
from builder.registry.push import push_image
from builder.registry.upload import push_blob
from builder.registry.watching import Transfer, unwatched
from builder.system.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from builder.oci.descriptor import Descriptor
    from builder.registry.repository import Repository

LAYER = bytes(range(256)) * 4000
BLOB = describe(LAYER, OCI_LAYER)


class Memory:
    """Blobs in memory (`builder.store.protocol.BlobReader`)."""

    def __init__(self, blobs: dict[Digest, bytes]) -> None:
        self._blobs = blobs

    def read(self, descriptor: Descriptor) -> bytes:
        return self._blobs[descriptor.digest]

    def open(self, digest: Digest) -> BinaryIO:
        return io.BytesIO(self._blobs[digest])


def source_of(picture: Picture) -> Memory:
    return Memory(picture.blobs)


LAYER_SOURCE = Memory({BLOB.digest: LAYER})


def cut_upload(size: int) -> Callable[[Handler], None]:
    """Takes in the beginning of a body and hangs up."""

    def act(handler: Handler) -> None:
        session = handler.path.partition("/uploads/")[2].partition("?")[0]
        upload = handler.registry.uploads[session]
        wanted = len(upload) + size
        while len(upload) < wanted:
            upload += handler.rfile.read1(min(CHUNK, wanted - len(upload)))
        handler.close_connection = True

    return act


def test_an_image_arrives_with_all_its_blobs_under_its_tag(
    tiny: TinyRegistry, repository: Repository
) -> None:
    picture = several()

    pushed = push_image(repository, source_of(picture), picture.root, tags=("1",))

    assert tiny.manifests["a/b", "1"][1] == picture.blobs[picture.root.digest]
    assert {digest for _, digest in (*tiny.blobs, *tiny.manifests)} == {*picture.blobs, "1"}
    assert len(pushed.sent) == 4


def test_a_name_is_set_after_everything_that_it_stands_for(
    tiny: TinyRegistry, repository: Repository
) -> None:
    picture = several()

    push_image(repository, source_of(picture), picture.root, tags=("1",))

    puts = [path.partition("?")[0] for method, path in tiny.requests if method == "PUT"]
    kinds = ["uploads" if "uploads" in path else path.rpartition("/")[2][:6] for path in puts]
    assert kinds == ["uploads"] * 4 + ["sha256"] * 2 + ["1"]


def test_a_second_push_sends_nothing_at_all(tiny: TinyRegistry, repository: Repository) -> None:
    picture = several()
    push_image(repository, source_of(picture), picture.root, tags=("1",))
    tiny.requests.clear()

    pushed = push_image(repository, source_of(picture), picture.root, tags=("1",))

    assert {method for method, _ in tiny.requests} == {"HEAD"}
    assert (pushed.sent, len(pushed.present)) == ((), 4)


def test_an_image_without_a_tag_is_put_under_its_digest(tiny: TinyRegistry, repository: Repository) -> None:
    picture = single()

    push_image(repository, source_of(picture), picture.root)
    assert ("a/b", picture.root.digest) in tiny.manifests


def test_a_blob_of_another_repository_is_mounted(tiny: TinyRegistry, repository: Repository) -> None:
    tiny.blobs["base/os", BLOB.digest] = LAYER
    states: list[str] = []

    push_blob(
        repository, BLOB, LAYER_SOURCE, mounts=("base/os",), watch=lambda state: states.append(state.state)
    )

    assert states == ["mounted"]
    assert tiny.blobs["a/b", BLOB.digest] == LAYER
    assert not tiny.asked("PUT", "")


def test_a_mount_that_is_not_possible_becomes_an_upload(tiny: TinyRegistry, repository: Repository) -> None:
    push_blob(repository, BLOB, LAYER_SOURCE, mounts=("gone/away",), watch=unwatched)

    assert tiny.blobs["a/b", BLOB.digest] == LAYER
    assert len(tiny.asked("POST", "")) == 1


def test_a_mount_that_is_not_allowed_becomes_an_upload(tiny: TinyRegistry, repository: Repository) -> None:
    tiny.misbehave = [when("POST", "mount=", refused(403, "DENIED"))]

    push_blob(repository, BLOB, LAYER_SOURCE, mounts=("secret/thing",), watch=unwatched)
    assert tiny.blobs["a/b", BLOB.digest] == LAYER


def test_a_cut_upload_goes_on_where_the_registry_is(tiny: TinyRegistry, repository: Repository) -> None:
    tiny.misbehave = [when("PUT", "uploads", cut_upload(400_000))]

    push_blob(repository, BLOB, LAYER_SOURCE, watch=unwatched)

    assert tiny.blobs["a/b", BLOB.digest] == LAYER
    patch = next(index for index, (method, _) in enumerate(tiny.requests) if method == "PATCH")
    assert tiny.headers[patch]["content-range"] == f"400000-{len(LAYER) - 1}"


def test_an_upload_that_is_cut_twice_goes_on_twice(tiny: TinyRegistry, repository: Repository) -> None:
    tiny.misbehave = [
        when("PUT", "uploads", cut_upload(400_000)),
        when("PATCH", "uploads", cut_upload(300_000)),
    ]

    push_blob(repository, BLOB, LAYER_SOURCE, watch=unwatched)

    assert tiny.blobs["a/b", BLOB.digest] == LAYER
    assert len(tiny.asked("POST", "")) == 1


def test_an_upload_that_the_registry_forgot_begins_again(tiny: TinyRegistry, repository: Repository) -> None:
    tiny.misbehave = [
        when("PUT", "uploads", cut_upload(400_000)),
        when("GET", "uploads", refused(404, "BLOB_UPLOAD_UNKNOWN")),
    ]

    push_blob(repository, BLOB, LAYER_SOURCE, watch=unwatched)

    assert tiny.blobs["a/b", BLOB.digest] == LAYER
    assert len(tiny.asked("POST", "")) == 2


def test_a_blob_whose_last_answer_was_lost_is_not_sent_again(
    tiny: TinyRegistry, repository: Repository
) -> None:
    def lose(handler: Handler) -> None:
        handler.registry.blobs["a/b", BLOB.digest] = handler.read_body()
        handler.registry.uploads.clear()
        handler.close_connection = True

    tiny.misbehave = [when("PUT", "uploads", lose)]

    push_blob(repository, BLOB, LAYER_SOURCE, watch=unwatched)
    assert len(tiny.asked("PUT", "")) == 1


def test_an_upload_that_is_always_cut_is_given_up(tiny: TinyRegistry, repository: Repository) -> None:
    tiny.misbehave = [when("PUT", "uploads", cut_upload(0), times=100)]

    with pytest.raises(Interrupted):
        push_blob(repository, BLOB, LAYER_SOURCE, watch=unwatched)
    assert len(tiny.asked("PUT", "")) == 3


def test_a_registry_that_is_overloaded_gets_the_blob_later(
    tiny: TinyRegistry, repository: Repository
) -> None:
    tiny.misbehave = [when("PUT", "uploads", refused(429, "TOOMANYREQUESTS", Retry_After="0"))]

    push_blob(repository, BLOB, LAYER_SOURCE, watch=unwatched)
    assert tiny.blobs["a/b", BLOB.digest] == LAYER


def test_an_empty_blob_can_be_pushed_like_any_other(tiny: TinyRegistry, repository: Repository) -> None:
    empty = describe(b"", OCI_LAYER)

    push_blob(repository, empty, Memory({empty.digest: b""}), watch=unwatched)
    assert tiny.blobs["a/b", empty.digest] == b""


def test_a_blob_that_is_shorter_here_than_promised_is_not_pushed(
    tiny: TinyRegistry, repository: Repository
) -> None:
    with pytest.raises(WrongContent, match="ends after 1000 of"):
        push_blob(repository, BLOB, Memory({BLOB.digest: LAYER[:1000]}), watch=unwatched)
    assert tiny.blobs == {}


def test_bytes_that_changed_on_the_way_are_noticed_by_the_registry(
    tiny: TinyRegistry, repository: Repository
) -> None:
    with pytest.raises(Refusal, match="DIGEST_INVALID"):
        push_blob(repository, BLOB, Memory({BLOB.digest: LAYER[:-1] + b"?"}), watch=unwatched)


def test_a_registry_that_stored_something_else_is_noticed(tiny: TinyRegistry, repository: Repository) -> None:
    other = Digest.of(b"other")
    tiny.misbehave = [when("PUT", "uploads", lambda handler: _stored(handler, other))]

    with pytest.raises(WrongContent, match=f"got digest '{other}'"):
        push_blob(repository, BLOB, LAYER_SOURCE, watch=unwatched)


def _stored(handler: Handler, digest: str) -> None:
    handler.read_body()
    handler.reply(201, Docker_Content_Digest=digest)


def test_a_push_that_is_not_allowed_says_so_before_any_byte(
    tiny: TinyRegistry, repository: Repository
) -> None:
    tiny.misbehave = [when("POST", "uploads", refused(403, "DENIED"), times=100)]

    with pytest.raises(Denied, match="DENIED: about denied") as caught:
        push_blob(repository, BLOB, LAYER_SOURCE, watch=unwatched)
    assert caught.value.hint is not None
    assert tiny.host in caught.value.hint


def test_an_upload_may_lead_to_another_host_but_not_our_credentials(
    tiny: TinyRegistry, another: TinyRegistry, repository: Repository
) -> None:
    another.uploads["7"] = bytearray()
    target = f"{another.base}/v2/x/blobs/uploads/7?signature=abc"
    tiny.misbehave = [when("POST", "uploads", lambda handler: handler.reply(202, Location=target))]

    push_blob(repository, BLOB, LAYER_SOURCE, watch=unwatched)

    assert another.requests == [
        ("PUT", f"/v2/x/blobs/uploads/7?signature=abc&digest={BLOB.digest.replace(':', '%3A')}")
    ]


def test_an_upload_without_a_place_to_go_is_an_error(tiny: TinyRegistry, repository: Repository) -> None:
    tiny.misbehave = [when("POST", "uploads", lambda handler: handler.reply(202))]

    with pytest.raises(InvalidAnswer, match="no address"):
        push_blob(repository, BLOB, LAYER_SOURCE, watch=unwatched)


def test_layers_that_may_not_be_distributed_stay_here(tiny: TinyRegistry, repository: Repository) -> None:
    foreign = b'"application/vnd.oci.image.layer.nondistributable.v1.tar"'
    picture = single()
    old = picture.blobs[picture.root.digest]
    new = old.replace(b'"application/vnd.oci.image.layer.v1.tar"', foreign)
    root = describe(new, picture.root.media_type)

    pushed = push_image(repository, Memory({**picture.blobs, root.digest: new}), root)
    assert [blob.media_type.rpartition(".")[2] for blob in pushed.sent] == ["v1+json"]


def test_a_cancelled_push_ends_between_two_pieces(repository: Repository) -> None:
    def cancel(state: Transfer) -> None:
        if state.state == "moving":
            raise Cancelled

    picture = single(layer=LAYER)
    with pytest.raises(Cancelled):
        push_image(repository, source_of(picture), picture.root, watch=cancel)
