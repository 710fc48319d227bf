"""Heredocs: which words of a line announce one, and the lines that belong to it.

They must be recognised before anything else can be read behind them, because their bodies are not
instructions. Marker words always use the backslash, whatever the file's escape character is.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from frontend.dockerfile.characters import SPACES

# Blanks behind `<<` do not end the word.
_WORD: Final = rf"""(?:[^{SPACES}'"\\<]+|<<-?[{SPACES}]+|<|\\[\s\S]|"(?:[^"\\]|\\[\s\S])*"|'[^']*')+"""
_MARKER: Final = rf"(\d*)<<(-?)[{SPACES}]*([^<{SPACES}][^<]*)"
_TABS: Final = r"(?m)^\t+"
_QUOTES: Final = r"""\\([\s\S])|"((?:[^"\\]|\\[\s\S])*)"|'([^']*)'"""


class Heredoc(msgspec.Struct, frozen=True, kw_only=True):
    """An inline file. `expand`: variables of an unquoted body count; `chomp`: leading tabs are cut."""

    name: str
    expand: bool
    chomp: bool
    descriptor: int
    content: str = ""

    @property
    def body(self) -> str:
        """The content, without the tabs in front of its lines where those are for the reader only."""
        return re.sub(_TABS, "", self.content) if self.chomp else self.content


def find_markers(line: str) -> list[Heredoc]:
    """The heredocs that a logical line announces, in order, still without content."""
    if "<<" not in line:
        return []
    markers: list[Heredoc] = []
    words = re.compile(_WORD)
    position = 0
    while position < len(line):
        if line[position] in SPACES:
            position += 1
            continue
        word = words.match(line, position)
        if word is None:
            # A quote that nobody closes: not shell syntax, so there are no heredocs either.
            return []
        position = word.end()
        if marker := parse_marker(word[0]):
            markers.append(marker)
    return markers


def parse_marker(word: str) -> Heredoc | None:
    """The heredoc that `word` announces, if it is nothing but a marker."""
    if "<<" not in word:
        return None
    matched = re.fullmatch(_MARKER, word)
    if matched is None or re.fullmatch(_WORD, word) is None:
        return None
    name = re.sub(_QUOTES, lambda quoted: quoted[1] or quoted[2] or quoted[3] or "", matched[3])
    if not name:
        return None
    return Heredoc(
        name=name, expand=name == matched[3], chomp=matched[2] == "-", descriptor=int(matched[1][-9:] or "0")
    )


def is_marker(text: str) -> bool:
    """Whether `text` is one marker and nothing else."""
    return parse_marker(text) is not None


def is_terminator(heredoc: Heredoc, line: str) -> bool:
    """Whether the physical `line` ends the body of `heredoc`."""
    line = line.rstrip("\r\n")
    return (line.lstrip("\t") if heredoc.chomp else line) == heredoc.name
