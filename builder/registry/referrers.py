"""Referrers: manifests that name another as their subject, listed and made findable.

A registry that has the API lists them itself. For one that has not, the client keeps an index of them under a tag
made of the subject's digest; two who write it at once may undo each other's entry, so it is read again.
Source: OCI distribution-spec, "Listing Referrers" and "Referrers Tag Schema".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

import msgspec

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.manifest import MAX_DOCUMENT, InvalidDocument, decode_index, encode_document, image_index
from builder.oci.mediatypes import OCI_INDEX
from builder.registry.errors import InvalidAnswer, NotFound, Refusal, RegistryError
from builder.registry.push import push_manifest
from builder.registry.reader import read_bounded

if TYPE_CHECKING:
    from builder.registry.repository import Repository

_MAX_PAGES: Final = 50
_ATTEMPTS: Final = 3
_NEXT: Final = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?', re.IGNORECASE)


def fallback_tag(subject: Digest) -> str:
    """The tag under which a registry without the API has the referrers of `subject`."""
    return f"sha256-{subject.hex}"


def list_referrers(repository: Repository, subject: Digest) -> tuple[Descriptor, ...]:
    """Every manifest in the repository that names `subject`, as far as anybody has said so.

    Raises: RegistryError; InvalidDocument for a list that is none.
    """
    listed = _by_api(repository, subject)
    return _by_tag(repository, subject) if listed is None else listed


def push_referrer(repository: Repository, content: bytes, descriptor: Descriptor, *, subject: Digest) -> None:
    """Puts a manifest that names `subject`, all of whose blobs are there, where its readers look for it.

    `descriptor` bears the manifest's artifact type and annotations, as the list shows them.
    Raises: RegistryError, also when others keep undoing the entry.
    """
    push_manifest(repository, content, descriptor, name=descriptor.digest)
    if _by_api(repository, subject) is not None:
        return
    for _ in range(_ATTEMPTS):
        listed = _by_tag(repository, subject)
        if any(each.digest == descriptor.digest for each in listed):
            return
        index = encode_document(image_index((*listed, descriptor)))
        described = Descriptor(media_type=OCI_INDEX, digest=Digest.of(index), size=len(index))
        push_manifest(repository, index, described, name=fallback_tag(subject))
    if all(each.digest != descriptor.digest for each in _by_tag(repository, subject)):
        raise RegistryError(
            f"{repository.name}: the list of referrers of {subject} is written by others at the same time",
            hint="try again when nobody else pushes there",
        )


def _by_api(repository: Repository, subject: Digest) -> tuple[Descriptor, ...] | None:
    """What the API lists; None when the registry has none."""
    found: list[Descriptor] = []
    page = f"referrers/{subject}"
    for _ in range(_MAX_PAGES):
        try:
            with repository.pull(
                "GET", page, capability="referrers", headers={"Accept": OCI_INDEX}
            ) as answer:
                if OCI_INDEX not in answer.header("Content-Type"):
                    return None
                content = read_bounded(answer, MAX_DOCUMENT)
                link, url = answer.header("Link"), answer.url
        except Refusal as error:
            # 404 is what the specification says; others call the request invalid or not allowed.
            if type(error) not in (Refusal, NotFound):
                raise
            return None
        found += decode_index(content, OCI_INDEX).manifests
        following = _NEXT.search(link)
        if following is None:
            return tuple(found)
        page = _next_page(following[1], url, subject)
    raise InvalidAnswer(f"{repository.name}: the list of referrers of {subject} has no end")


def _next_page(link: str, url: str, subject: Digest) -> str:
    """Of the address that the registry gives only the query: the list of one subject is in one place."""
    query = urlsplit(urljoin(url, link)).query
    return f"referrers/{subject}?{query}"


def _by_tag(repository: Repository, subject: Digest) -> tuple[Descriptor, ...]:
    try:
        with repository.pull(
            "GET", f"manifests/{fallback_tag(subject)}", capability="resolve", headers={"Accept": OCI_INDEX}
        ) as answer:
            content = read_bounded(answer, MAX_DOCUMENT)
    except NotFound:
        return ()
    try:
        return decode_index(content, OCI_INDEX).manifests
    except (InvalidDocument, msgspec.DecodeError) as error:
        raise InvalidAnswer(
            f"{repository.name}: the tag {fallback_tag(subject)} is no list of referrers: {error}"
        ) from error
