"""Texts of the caller: the Dockerfile and the ignore file, read with a limit and from regular files only."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from builder.snapshot.resolve import resolve
from builder.source.errors import SourceError

if TYPE_CHECKING:
    from builder.snapshot.entry import FileView

MAX_TEXT: Final = 16 << 20
"""Bytes of the largest Dockerfile or ignore file; more is a mistake or an attack."""

DOCKERFILE: Final = "Dockerfile"


class BuildText(msgspec.Struct, frozen=True):
    """A Dockerfile: `name` is what messages call it, `path` where it stands, None when it came without a file."""

    name: str
    content: bytes
    path: Path | None = None


def read_dockerfile(context: Path | None, dockerfile: Path | None) -> BuildText:
    """The Dockerfile at `dockerfile`, or in `context` under its usual name, in lower case if need be.

    Raises: SourceError.
    """
    if dockerfile is not None:
        return BuildText(dockerfile.name, _require(dockerfile), dockerfile)
    if context is None:
        raise SourceError(
            "failed to read dockerfile: there is no context to look in", hint="name one with -f"
        )
    for name in (DOCKERFILE, DOCKERFILE.lower()):
        content = read_text(context / name)
        if content is not None:
            return BuildText(name, content, context / name)
    raise SourceError(f"failed to read dockerfile: open {DOCKERFILE}: no such file or directory")


def read_dockerfile_of(files: FileView, dockerfile: str | None) -> BuildText:
    """The Dockerfile of a context that is not a directory, at the path `dockerfile` in it or under its usual name.

    Raises: SourceError.
    """
    wanted = dockerfile or DOCKERFILE
    head, slash, name = wanted.rpartition("/")
    for path in (wanted, f"{head}{slash}{name.lower()}") if name == DOCKERFILE else (wanted,):
        content = find_text(files, path)
        if content is not None:
            return BuildText(name, content)
    raise SourceError(f"failed to read dockerfile: open {wanted}: no such file or directory")


def find_text(files: FileView, path: str) -> bytes | None:
    """The content of the regular file that `path` leads to in `files`, from where no link leads out; None: nothing.

    Raises: SourceError for what is no regular file or is too large.
    """
    node = files.lstat(resolve(files, path))
    if node is None:
        return None
    if node.content is None:
        raise SourceError(f"cannot read {path} of the context: it is not a regular file")
    with node.content.open() as file:
        content = file.read(MAX_TEXT + 1)
    if len(content) > MAX_TEXT:
        raise SourceError(f"{path} of the context is larger than {MAX_TEXT >> 20} MiB")
    return content


def read_ignore_text(context: Path | None, dockerfile: Path | None) -> bytes | None:
    """The ignore file that goes with the Dockerfile, else that of the context; None when there is neither.

    Raises: SourceError.
    """
    if dockerfile is not None:
        own = read_text(dockerfile.with_name(f"{dockerfile.name}.dockerignore"))
        if own is not None:
            return own
    return read_text(context / ".dockerignore") if context is not None else None


def read_text(path: Path) -> bytes | None:
    """The content of a regular file; None when nothing is there.

    Raises: SourceError for what is no regular file, is too large or cannot be read.
    """
    try:
        # O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise SourceError(f"cannot read {path}: it is not a regular file")
        content = file.read(MAX_TEXT + 1)
    if len(content) > MAX_TEXT:
        raise SourceError(f"{path} is larger than {MAX_TEXT >> 20} MiB")
    return content


def _require(path: Path) -> bytes:
    content = read_text(path)
    if content is None:
        raise SourceError(f"failed to read dockerfile: open {path}: no such file or directory")
    return content
