"""Sending one blob: not at all, by reference, or with one request that is taken up again where it was cut.

A blob goes out in a single PUT, which every registry takes and which costs the fewest requests. After a cut
the registry is asked how far it got; only then the rest goes in pieces. One that does not say gets the blob
again from its beginning. Source: OCI distribution-spec, "Pushing blobs".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO, Final, Self
from urllib.parse import quote

from builder.oci.digest import CHUNK
from builder.registry.errors import Denied, NotFound, Refusal, RegistryError, Unauthorized, WrongContent
from builder.registry.uploads import Uploads
from builder.registry.watching import Transfer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from builder.oci.descriptor import Descriptor
    from builder.registry.repository import Repository
    from builder.registry.uploads import Upload
    from builder.registry.watching import Watcher
    from builder.store.protocol import BlobReader

_CREATED: Final = frozenset({200, 201, 204})
_ACCEPTED: Final = frozenset({202})
_SENDING: Final = {"Content-Type": "application/octet-stream"}
_UNREMEMBERED: Final = Uploads()
_RANGE: Final = re.compile(r"(?:bytes=)?0-(\d+)", re.ASCII)


def push_blob(
    repository: Repository,
    blob: Descriptor,
    source: BlobReader,
    *,
    mounts: Sequence[str] = (),
    uploads: Uploads = _UNREMEMBERED,
    watch: Watcher,
) -> None:
    """Makes `blob` one of the repository's. `mounts` are repositories of the same registry that may have it.

    `uploads` remember what an earlier push has sent of it. `watch` learns how it went.
    Raises: RegistryError; BlobNotFound when `source` does not have it; Cancelled.
    """
    if has_blob(repository, blob):
        watch(Transfer(blob, "present"))
        return
    with uploads.hold(repository, blob) as remembered:
        upload = _Upload(repository, blob, source, watch, remembered)
        for candidate in mounts:
            if upload.mount(candidate):
                watch(Transfer(blob, "mounted"))
                return
        upload.send()
    watch(Transfer(blob, "done", blob.size))


def has_blob(repository: Repository, blob: Descriptor) -> bool:
    """Whether the repository has the blob; one that may only be written to says no. Raises: RegistryError."""
    try:
        repository.push("HEAD", f"blobs/{blob.digest}", headers={"Accept": f"{blob.media_type}, */*"}).close()
    except (NotFound, Denied, Unauthorized):
        return False
    return True


class _Upload:
    def __init__(
        self,
        repository: Repository,
        blob: Descriptor,
        source: BlobReader,
        watch: Watcher,
        remembered: Upload,
    ) -> None:
        self._repository = repository
        self._blob = blob
        self._source = source
        self._watch = watch
        self._remembered = remembered
        self._location = ""

    def mount(self, candidate: str) -> bool:
        """Whether the registry took the blob from its repository `candidate`; if not, an upload may be open."""
        if self._location:
            return False
        path = f"blobs/uploads/?mount={quote(self._blob.digest)}&from={quote(candidate)}"
        try:
            answer = self._repository.push(
                "POST", path, mount=candidate, body=b"", expect=_CREATED | _ACCEPTED
            )
        except (NotFound, Denied, Unauthorized):
            return False
        with answer:
            if answer.status in _CREATED:
                return True
            self._location = self._repository.target.locate(answer)
        return False

    def send(self) -> None:
        """Sends the bytes, however often it takes within the limits."""
        failures, offset = 0, self._take_up()
        while True:
            try:
                if not self._location:
                    self._begin()
                self._finish(offset)
            except RegistryError as error:
                if offset and isinstance(error, Refusal):
                    # What was sent earlier may be no part of this blob.
                    offset, self._location = 0, ""
                    self._remembered.remember("")
                    continue
                failures += 1
                self._repository.patience.recover(error, failures)
            else:
                return
            found = self._progress()
            if found > offset:
                failures = 0
            offset = found
            if not offset:
                self._location = ""
                if has_blob(self._repository, self._blob):
                    return

    def _take_up(self) -> int:
        """How many bytes of the blob an earlier push has sent, into an upload that is still open."""
        open_now = self._location
        if self._repository.target.is_ours(self._remembered.location):
            self._location = self._remembered.location
            if offset := self._progress():
                return offset
        self._location = open_now
        if open_now:
            self._note()
        return 0

    def _begin(self) -> None:
        with self._repository.push("POST", "blobs/uploads/", body=b"", expect=_ACCEPTED) as answer:
            self._location = self._repository.target.locate(answer)
        self._note()

    def _note(self) -> None:
        if self._repository.target.is_ours(self._location):
            self._remembered.remember(self._location)

    def _finish(self, offset: int) -> None:
        """One request for all, or after a cut one for the rest and one that closes."""
        if offset == 0:
            self._put(_Part(self._source, self._blob, 0, self._watch))
            return
        if offset < self._blob.size:
            part = _Part(self._source, self._blob, offset, self._watch)
            headers = {**_SENDING, "Content-Range": f"{offset}-{self._blob.size - 1}"}
            with (
                part,
                self._repository.push(
                    "PATCH", self._location, headers=headers, body=part, expect=_ACCEPTED, once=True
                ) as answer,
            ):
                self._location = self._repository.target.locate(answer)
            self._note()
        self._put(None)

    def _put(self, part: _Part | None) -> None:
        separator = "&" if "?" in self._location else "?"
        url = f"{self._location}{separator}digest={quote(self._blob.digest)}"
        if part is None or not self._blob.size:
            self._closed(url, None)
            return
        with part:
            self._closed(url, part)

    def _closed(self, url: str, part: _Part | None) -> None:
        body = part if part is not None else b""
        with self._repository.push(
            "PUT", url, headers=_SENDING, body=body, expect=_CREATED, once=True
        ) as answer:
            claimed = answer.header("Docker-Content-Digest")
        if claimed and claimed != self._blob.digest:
            raise WrongContent(
                f"{self._repository.name}: got digest {claimed[:100]!r}, expected {self._blob.digest}"
            )

    def _progress(self) -> int:
        """How many bytes the open upload has got, as far as the registry says; 0: begin again."""
        if not self._location:
            return 0
        try:
            with self._repository.push("GET", self._location, expect=_CREATED, once=True) as answer:
                found = _RANGE.fullmatch(answer.header("Range"))
                if answer.header("Location"):
                    self._location = self._repository.target.locate(answer)
        except RegistryError:
            return 0
        # `0-0` is what some registries say of an upload that has got nothing at all.
        last = int(found[1]) if found else 0
        return last + 1 if 0 < last < self._blob.size else 0


class _Part:
    """A blob from `offset` on, as the body of a request (`builder.registry.connection.Body`)."""

    def __init__(self, source: BlobReader, blob: Descriptor, offset: int, watch: Watcher) -> None:
        self._source = source
        self._blob = blob
        self._offset = offset
        self._watch = watch
        self._stream: BinaryIO | None = None

    def open(self) -> _Outgoing:
        """The part from its beginning; what was opened before is closed."""
        self.close()
        self._stream = self._source.open(self._blob.digest)
        _skip(self._stream, self._offset, self._blob)
        return _Outgoing(self._stream, self._blob, self._offset, self._watch)

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class _Outgoing:
    """Exactly the promised bytes (`builder.registry.wire.Outgoing`)."""

    def __init__(self, stream: BinaryIO, blob: Descriptor, offset: int, watch: Watcher) -> None:
        self._stream = stream
        self._blob = blob
        self._length = blob.size - offset
        self._sent = offset
        self._watch = watch

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(CHUNK), b"")

    def read(self, size: int, /) -> bytes:
        left = self._blob.size - self._sent
        chunk = self._stream.read(min(size, left)) if left else b""
        if left and not chunk:
            # The registry would wait in vain for what was announced.
            raise WrongContent(f"blob {self._blob.digest} ends after {self._sent} of {self._blob.size} bytes")
        self._sent += len(chunk)
        # To ask for the end is to have the stream check what it gave, before the registry has the last of it.
        if left and self._sent == self._blob.size and self._stream.read(1):
            raise WrongContent(f"blob {self._blob.digest} goes on after {self._blob.size} bytes")
        self._watch(Transfer(self._blob, "moving", self._sent))
        return chunk


def _skip(stream: BinaryIO, offset: int, blob: Descriptor) -> None:
    if offset and stream.seekable():
        stream.seek(offset)
        return
    while offset:
        skipped = len(stream.read(min(offset, CHUNK)))
        if not skipped:
            raise WrongContent(f"blob {blob.digest} is shorter than its descriptor says")
        offset -= skipped
