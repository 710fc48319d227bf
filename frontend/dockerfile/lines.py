"""From bytes to logical lines: comments, continuations and heredoc bodies.

Written by hand because these rules are no grammar: whether a line is a comment depends on what stands before
it, and the escape character is chosen by the file itself. Every step is linear in the size of the file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from builder.graph import Location, SourceFile
from frontend.dockerfile.arguments import ArgumentError, read_json
from frontend.dockerfile.characters import BLANKS, SPACES, split_blanks
from frontend.dockerfile.errors import DockerfileError
from frontend.dockerfile.heredocs import Heredoc, find_markers, is_terminator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frontend.dockerfile.directives import Directives

MAX_FILE: Final = 16 << 20
"""Bytes of the largest Dockerfile and ignore file that are read; whoever opens one need not read more."""

MAX_LINE: Final = 65535
_BOM: Final = b"\xef\xbb\xbf"
_FLAGS: Final = rf"(?:--[^{BLANKS}]*[{BLANKS}]+)*"
_WITH_HEREDOCS: Final = frozenset({"run", "copy", "add"})


class LogicalLine(msgspec.Struct, frozen=True, kw_only=True):
    """One instruction's text, continuations joined, ends trimmed.

    `trailing` is the white space that stood behind `text`: a trigger keeps it. `comments` are those that stood
    before it, without `#`. `empty_continuation`: a blank line stood inside.
    """

    text: str
    trailing: str = ""
    location: Location
    comments: tuple[str, ...] = ()
    heredocs: tuple[Heredoc, ...] = ()
    empty_continuation: bool = False


def read_source(name: str, content: bytes) -> SourceFile:
    """The text of a file, without byte order mark.

    Raises: DockerfileError when it is empty, too large, or has a line that is too long.
    """
    content = content.removeprefix(_BOM)
    if not content:
        raise DockerfileError("the Dockerfile cannot be empty", location=None)
    if len(content) > MAX_FILE:
        raise DockerfileError(
            f"{name} of {len(content)} bytes is larger than the limit of {MAX_FILE}", location=None
        )
    source = SourceFile(name, content.decode(errors="replace"))
    for number, line in enumerate(content.split(b"\n"), 1):
        if len(line) > MAX_LINE:
            raise DockerfileError(
                f"dockerfile line greater than max allowed size of {MAX_LINE}",
                location=Location(source, number, number),
            )
    return source


def logical_lines(source: SourceFile, lines: list[str], directives: Directives) -> Iterator[LogicalLine]:
    """The instructions of a file whose physical lines are `lines`, in order.

    Raises: DockerfileError for a heredoc without end; it is the last thing that can be said about the file.
    """
    comments: list[str] = []
    index = directives.count
    while index < len(lines):
        line = _trim_end(lines[index])
        stripped = line.lstrip(SPACES)
        index += 1
        if stripped.startswith("#"):
            _collect(comments, line)
            continue
        text, continues = _cut_continuation(stripped, directives.escape)
        if not continues and not text:
            continue
        first = index
        pieces, empty = [text], False
        while continues and index < len(lines):
            line = _trim_end(lines[index])
            index += 1
            bare = line.lstrip(SPACES)
            if bare.startswith("#"):
                continue
            if not bare:
                empty = True
                continue
            text, continues = _cut_continuation(line, directives.escape)
            pieces.append(text)
        joined = "".join(pieces).lstrip(SPACES)
        text = joined.rstrip(SPACES)
        heredocs, index = _read_heredocs(source, lines, text, first, index)
        yield LogicalLine(
            text=text,
            trailing=joined[len(text) :],
            location=Location(source, first, index),
            comments=tuple(comments),
            heredocs=heredocs,
            empty_continuation=empty,
        )
        comments.clear()


def _trim_end(line: str) -> str:
    return line.rstrip("\r\n")


def _collect(comments: list[str], line: str) -> None:
    """An empty comment takes back the ones before it. Of an indented one, only the first blank goes."""
    comment = line[1:].strip(SPACES)
    if comment:
        comments.append(comment)
    else:
        comments.clear()


def _cut_continuation(line: str, escape: str) -> tuple[str, bool]:
    """`line` without its continuation mark, and whether it had one. Two escapes are none: nobody counts."""
    trimmed = line.rstrip(" \t")
    if trimmed.endswith(escape) and trimmed[-2:-1] != escape:
        return trimmed[:-1], True
    return line, False


def _read_heredocs(
    source: SourceFile, lines: list[str], text: str, first: int, index: int
) -> tuple[tuple[Heredoc, ...], int]:
    """The heredocs that `text` announces with their bodies, and the index of the line behind them."""
    if "<<" not in text or not _can_have_heredocs(text):
        return (), index
    heredocs: list[Heredoc] = []
    for marker in find_markers(text):
        start = index
        while index < len(lines) and not is_terminator(marker, lines[index]):
            index += 1
        if index == len(lines):
            raise DockerfileError("unterminated heredoc", location=Location(source, first, index))
        content = "".join(f"{line}\n" for line in lines[start:index])
        heredocs.append(msgspec.structs.replace(marker, content=content))
        index += 1
    return tuple(heredocs), index


def _can_have_heredocs(text: str) -> bool:
    words = split_blanks(text, 1)
    if words[0].lower() == "onbuild":
        words = split_blanks(words[-1], 1)
    if len(words) < 2 or words[0].lower() not in _WITH_HEREDOCS:
        return False
    arguments = words[1][_skip_flags(words[1]) :]
    try:
        return read_json(arguments) is None
    except ArgumentError:
        return False


def _skip_flags(text: str) -> int:
    matched = re.match(_FLAGS, text)
    return matched.end() if matched else 0
