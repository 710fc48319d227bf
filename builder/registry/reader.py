"""Reading from a repository: what a name stands for, its documents, its blobs.

After a tag was resolved everything is asked for by digest, so an image cannot change while it is read. What
comes is bounded by what its descriptor promises and checked against it; a host that sends something else is
left alone if there is another to ask.
"""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

from builder.oci.descriptor import Descriptor
from builder.oci.digest import CHUNK, Digest, InvalidDigest
from builder.oci.manifest import MAX_DOCUMENT, InvalidDocument
from builder.oci.mediatypes import DOCKER_INDEX, DOCKER_MANIFEST, INDEXES, MANIFESTS, OCI_INDEX, OCI_MANIFEST
from builder.registry.errors import MissingBlob, NotFound, Refusal, WrongContent
from builder.registry.stream import ResumingStream

if TYPE_CHECKING:
    from builder.oci.reference import Reference
    from builder.registry.hosts import Capability
    from builder.registry.repository import Repository
    from builder.registry.wire import Answer

_ACCEPT: Final = ", ".join((DOCKER_MANIFEST, DOCKER_INDEX, OCI_MANIFEST, OCI_INDEX, "*/*"))
_HEAD: Final = frozenset({200, 405})
_REMEMBERED: Final = 64 << 20
"""Bytes of documents that are kept: a build for ten platforms reads the same index ten times."""


class _Shape(msgspec.Struct):
    media_type: str = msgspec.field(name="mediaType", default="")


class RegistryReader:
    """The blobs of one repository (`builder.store.protocol.BlobReader`). Safe to share between threads."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._documents: dict[Digest, bytes] = {}
        self._size = 0
        self._lock = threading.Lock()

    def resolve(self, reference: Reference) -> Descriptor:
        """What `reference` stands for now; of tag and digest the digest decides.

        Raises: NotFound and other kinds of RegistryError; InvalidDocument for what is no image.
        """
        capability: Capability = "pull" if reference.digest else "resolve"
        name = reference.digest or reference.tag
        try:
            found = self._head(f"manifests/{name}", capability) or self._get(f"manifests/{name}", capability)
        except NotFound as error:
            raise NotFound(f"{reference}: not found", hint=error.hint) from error
        if reference.digest is not None and found.digest != reference.digest:
            raise WrongContent(f"{self.repository.name} says that {reference.digest} is {found.digest}")
        return found

    def read(self, descriptor: Descriptor) -> bytes:
        """All bytes of a document, verified.

        Raises: MissingBlob; WrongContent; InvalidDocument for one that is too large; RegistryError.
        """
        with self._lock:
            known = self._documents.get(descriptor.digest)
        if known is not None and len(known) == descriptor.size:
            return known
        if descriptor.size > MAX_DOCUMENT:
            raise InvalidDocument(
                f"{descriptor.digest}: {descriptor.size} bytes is larger than {MAX_DOCUMENT}"
            )
        while True:
            with self._stream(descriptor.digest, descriptor.media_type) as stream:
                content = read_bounded(stream, descriptor.size)
                host = stream.host
            if len(content) == descriptor.size and Digest.of(content) == descriptor.digest:
                self._remember(descriptor.digest, content)
                return content
            if not self.repository.avoid(host):
                raise WrongContent(
                    f"{host} sent other bytes for {self.repository.name}@{descriptor.digest} than its digest says"
                )

    def open(self, digest: Digest) -> BinaryIO:
        """The blob, not verified; the caller closes. Raises: MissingBlob, RegistryError."""
        return io.BufferedReader(self.stream(digest), CHUNK)

    def stream(self, digest: Digest) -> ResumingStream:
        """Like `open`, unbuffered, and it says which host sends."""
        return self._stream(digest, "")

    def _stream(self, digest: Digest, media_type: str) -> ResumingStream:
        kind = "manifests" if media_type in INDEXES | MANIFESTS else "blobs"
        accept = f"{media_type}, */*" if media_type else "*/*"
        try:
            return ResumingStream(self.repository, f"{kind}/{digest}", accept=accept)
        except NotFound as error:
            raise MissingBlob(
                f"{self.repository.name} does not have {digest}: {error.message}", hint=error.hint
            ) from error

    def _remember(self, digest: Digest, content: bytes) -> None:
        with self._lock:
            if digest not in self._documents and self._size + len(content) <= _REMEMBERED:
                self._documents[digest] = content
                self._size += len(content)

    def _head(self, what: str, capability: Capability) -> Descriptor | None:
        """What the headers say; None when they do not say enough."""
        try:
            answer = self.repository.pull(
                "HEAD", what, capability=capability, headers={"Accept": _ACCEPT}, expect=_HEAD
            )
        except Refusal as error:
            if type(error) in (Refusal, NotFound):
                raise
            # An answer to HEAD has no body, and so no reason; the one to GET has.
            return None
        with answer:
            media_type, size = _media_type(answer), answer.header("Content-Length")
            digest = answer.header("Docker-Content-Digest")
        if (
            answer.status != 200
            or not digest
            or not size.isdecimal()
            or media_type not in INDEXES | MANIFESTS
        ):
            return None
        return Descriptor(media_type=media_type, digest=_digest(digest, answer), size=int(size))

    def _get(self, what: str, capability: Capability) -> Descriptor:
        with self.repository.pull("GET", what, capability=capability, headers={"Accept": _ACCEPT}) as answer:
            content = read_bounded(answer, MAX_DOCUMENT)
        if len(content) > MAX_DOCUMENT:
            raise InvalidDocument(f"{answer.host}: {what} is larger than {MAX_DOCUMENT} bytes")
        digest = Digest.of(content)
        claimed = answer.header("Docker-Content-Digest")
        if claimed and claimed != digest:
            raise WrongContent(f"{answer.host} sent {digest} for {what} and calls it {claimed[:100]!r}")
        media_type = _media_type(answer)
        if media_type not in INDEXES | MANIFESTS:
            media_type = _inner_type(content) or media_type
        if media_type not in INDEXES | MANIFESTS:
            raise InvalidDocument(
                f"{self.repository.name}: {what} is no image that dockyard knows: {media_type[:100]!r}"
            )
        self._remember(digest, content)
        return Descriptor(media_type=media_type, digest=digest, size=len(content))


def _media_type(answer: Answer) -> str:
    return answer.header("Content-Type").partition(";")[0].strip().lower()


def _inner_type(content: bytes) -> str:
    """The type that a document gives itself, for registries that call every one `application/json`."""
    try:
        return msgspec.json.decode(content, type=_Shape).media_type
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def _digest(text: str, answer: Answer) -> Digest:
    try:
        return Digest.parse(text)
    except InvalidDigest as error:
        raise WrongContent(f"{answer.host}: {error.message}") from error


def read_bounded(stream: ResumingStream | Answer, size: int) -> bytes:
    """At most `size` bytes, and one more if there is more."""
    chunks: list[bytes] = []
    left = size + 1
    while left and (chunk := stream.read(min(left, CHUNK))):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)
