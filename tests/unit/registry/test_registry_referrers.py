"""Referrers: listed by the API page by page, or under the tag; an entry that others undo is written again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.manifest import InvalidDocument, encode_document, image_index
from builder.oci.mediatypes import OCI_INDEX, OCI_MANIFEST
from builder.registry.errors import Denied, InvalidAnswer, RegistryError
from builder.registry.referrers import fallback_tag, list_referrers, push_referrer

if TYPE_CHECKING:
    from tiny_registry import Handler, TinyRegistry

    from builder.registry.repository import Repository

SUBJECT = Digest.of(b"subject")
TAG = fallback_tag(SUBJECT)


def referrer(number: int) -> Descriptor:
    content = manifest(number)
    return Descriptor(
        media_type=OCI_MANIFEST,
        digest=Digest.of(content),
        size=len(content),
        artifact_type="application/example",
        annotations={"number": str(number)},
    )


def manifest(number: int) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "number": number}).encode()


def index(*numbers: int) -> bytes:
    return encode_document(image_index(tuple(map(referrer, numbers))))


def serve_pages(tiny: TinyRegistry, pages: dict[str, tuple[bytes, str]]) -> None:
    """The API: for each query the list, and the query of the next page if there is one."""

    def answer(handler: Handler) -> bool:
        path, _, query = handler.path.partition("?")
        if "/referrers/" not in path:
            return False
        content, following = pages[query]
        link = {"Link": f'<{path}?{following}>; rel="next"'} if following else {}
        handler.reply(200, content, Content_Type=OCI_INDEX, **link)
        return True

    tiny.misbehave.append(answer)


def test_the_list_of_the_api_is_read_page_by_page(tiny: TinyRegistry, repository: Repository) -> None:
    serve_pages(tiny, {"": (index(1), "page=2"), "page=2": (index(2, 3), "")})
    assert list_referrers(repository, SUBJECT) == (referrer(1), referrer(2), referrer(3))


def test_a_list_without_an_end_is_refused(tiny: TinyRegistry, repository: Repository) -> None:
    serve_pages(tiny, {"": (index(1), "page=2"), "page=2": (index(2), "page=2")})
    with pytest.raises(InvalidAnswer, match="has no end"):
        list_referrers(repository, SUBJECT)


def test_the_next_page_is_asked_of_the_same_registry_whatever_the_link_says(
    tiny: TinyRegistry, another: TinyRegistry, repository: Repository
) -> None:
    def answer(handler: Handler) -> bool:
        link = {} if "page=2" in handler.path else {"Link": f'<{another.base}/v2/x?page=2>; rel="next"'}
        handler.reply(200, index(1), Content_Type=OCI_INDEX, **link)
        return True

    tiny.misbehave.append(answer)
    list_referrers(repository, SUBJECT)
    assert another.requests == []
    assert tiny.asked("GET", "page=2") == [f"/v2/a/b/referrers/{SUBJECT}?page=2"]


@pytest.mark.parametrize("status", [400, 404, 405])
def test_without_the_api_the_list_stands_under_the_tag(
    tiny: TinyRegistry, repository: Repository, status: int
) -> None:
    tiny.misbehave.append(
        lambda handler: "/referrers/" in handler.path and handler.refuse(status, "UNSUPPORTED") is None
    )
    tiny.manifests["a/b", TAG] = OCI_INDEX, index(1)
    assert list_referrers(repository, SUBJECT) == (referrer(1),)


def test_a_registry_that_does_not_let_us_look_is_an_error_and_no_empty_list(
    tiny: TinyRegistry, repository: Repository
) -> None:
    tiny.misbehave.append(
        lambda handler: "/referrers/" in handler.path and handler.refuse(403, "DENIED") is None
    )
    with pytest.raises(Denied):
        list_referrers(repository, SUBJECT)


def test_something_else_under_the_tag_is_an_error(tiny: TinyRegistry, repository: Repository) -> None:
    tiny.manifests["a/b", TAG] = OCI_MANIFEST, b'{"schemaVersion":2,"config":{},"layers":[]}'
    with pytest.raises(InvalidAnswer, match="is no list of referrers"):
        list_referrers(repository, SUBJECT)


def test_garbage_from_the_api_is_an_error(tiny: TinyRegistry, repository: Repository) -> None:
    serve_pages(tiny, {"": (b"[]", "")})
    with pytest.raises(InvalidDocument):
        list_referrers(repository, SUBJECT)


def test_a_registry_with_the_api_gets_no_tag(tiny: TinyRegistry, repository: Repository) -> None:
    serve_pages(tiny, {"": (index(1), "")})
    push_referrer(repository, manifest(1), referrer(1), subject=SUBJECT)
    assert (("a/b", referrer(1).digest) in tiny.manifests, ("a/b", TAG) in tiny.manifests) == (True, False)


def test_a_referrer_is_added_behind_those_that_the_tag_has(
    tiny: TinyRegistry, repository: Repository
) -> None:
    for number in (1, 2, 1):
        push_referrer(repository, manifest(number), referrer(number), subject=SUBJECT)
    assert list_referrers(repository, SUBJECT) == (referrer(1), referrer(2))


def test_an_entry_that_another_writer_undid_is_written_again(
    tiny: TinyRegistry, repository: Repository
) -> None:
    puts: list[str] = []

    def undo_the_first(handler: Handler) -> bool:
        if handler.command != "PUT" or TAG not in handler.path:
            return False
        puts.append(handler.path)
        if len(puts) > 1:
            return False
        content = handler.read_body()
        tiny.manifests["a/b", TAG] = OCI_INDEX, index(7)
        handler.reply(201, Docker_Content_Digest=Digest.of(content))
        return True

    tiny.misbehave.append(undo_the_first)
    push_referrer(repository, manifest(1), referrer(1), subject=SUBJECT)
    assert list_referrers(repository, SUBJECT) == (referrer(7), referrer(1))


def test_a_writer_who_always_undoes_the_entry_is_reported(tiny: TinyRegistry, repository: Repository) -> None:
    def undo(handler: Handler) -> bool:
        if handler.command != "PUT" or TAG not in handler.path:
            return False
        handler.reply(201, Docker_Content_Digest=Digest.of(handler.read_body()))
        return True

    tiny.misbehave.append(undo)
    with pytest.raises(RegistryError, match="is written by others at the same time"):
        push_referrer(repository, manifest(1), referrer(1), subject=SUBJECT)
