"""What stands on standard input: a Dockerfile, or an archive that is the context. Its first bytes decide."""

from __future__ import annotations

import sys
from typing import BinaryIO, Final, cast

from builder.system.errors import UsageError
from builder.system.rawstreams import RawStream
from builder.system.values import Value

_MAX_DOCKERFILE: Final = 16 << 20
_HEAD: Final = 1024


class StandardInput(Value, frozen=True):
    """One of the two, or nothing when standard input is not asked for."""

    dockerfile: bytes | None = None
    archive: BinaryIO | None = None


def read_standard_input(path: str, file: str | None) -> StandardInput:
    """What a build of `path` with the Dockerfile `file` reads from standard input; an archive is read later.

    Raises: UsageError when it would have to be two things at once.
    """
    if path != "-":
        return StandardInput(dockerfile=_text(b"", sys.stdin.buffer)) if file == "-" else StandardInput()
    if file == "-":
        raise UsageError("invalid argument: can't use stdin for both build context and dockerfile")
    from builder.snapshot.archives import begins_archive

    head = sys.stdin.buffer.read(_HEAD)
    if begins_archive(head):
        return StandardInput(archive=cast("BinaryIO", _Rejoined(head, sys.stdin.buffer)))
    if file is not None:
        raise UsageError("ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles")
    return StandardInput(dockerfile=_text(head, sys.stdin.buffer))


def _text(head: bytes, rest: BinaryIO) -> bytes:
    text = head + rest.read(_MAX_DOCKERFILE + 1 - len(head))
    if len(text) > _MAX_DOCKERFILE:
        raise UsageError(f"the Dockerfile on standard input is larger than {_MAX_DOCKERFILE} bytes")
    return text


class _Rejoined(RawStream):
    """A stream with the bytes that were read from its start put back."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def pull(self, size: int) -> bytes:
        chunk, self._head = (self._head or self._rest.read(size))[:size], self._head[size:]
        return chunk
