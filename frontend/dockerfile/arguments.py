"""The argument styles: JSON, words, name=value pairs, flags.

Each has a short cut for what nearly everybody writes, and a grammar for the rest; tests hold the two equal.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

import msgspec

from builder.system.quoting import quote
from frontend.dockerfile import grammar
from frontend.dockerfile.characters import SPACES, split_blanks

if TYPE_CHECKING:
    from lark import Token, Tree

_PLAIN_WORD: Final = re.compile(rf"""(?:[^{SPACES}'"]+|'[^']*'|"[^"]*")+""")
_PLAIN_FLAG: Final = re.compile(rf"--[^{SPACES}'\"]+(?=[{SPACES}]|\Z)")
_SPACE_RUN: Final = re.compile(f"[{SPACES}]*")
_SURROGATE: Final = "[\ud800-\udfff]"


class ArgumentError(Exception):
    """Arguments that do not have the style of their instruction."""


class Word(msgspec.Struct, frozen=True):
    """A word as written, quotes and escapes included, and its column in the arguments, from 0."""

    text: str
    column: int


class Pair(msgspec.Struct, frozen=True):
    """Name and value as written, both still to be expanded."""

    name: str
    value: str


def read_json(text: str) -> tuple[str, ...] | None:
    """The strings of a JSON array; None when `text` is no JSON array and therefore another style.

    Raises: ArgumentError for an array that holds something else than strings.
    """
    text = text.lstrip(SPACES)
    if not text.startswith("["):
        return None
    try:
        array = _decode(text)
    except RecursionError:
        array = [None]
    if array is None:
        return None
    strings = tuple(each for each in array if isinstance(each, str))
    if len(strings) != len(array):
        raise ArgumentError("when using JSON array syntax, arrays must be comprised of strings only")
    return strings


def _decode(text: str) -> list[object] | None:
    try:
        return msgspec.json.decode(text, type=list[object])
    except msgspec.ValidationError:
        return [None]
    except msgspec.DecodeError:
        return _decode_with_surrogates(text) if "\\u" in text else None


def _decode_with_surrogates(text: str) -> list[object] | None:
    """As `_decode`; half of a surrogate pair becomes U+FFFD instead of ending it all."""
    import json

    try:
        array = json.loads(text, parse_constant=_refuse)
    except ValueError:
        return None
    return [re.sub(_SURROGATE, "\ufffd", each) if isinstance(each, str) else None for each in array]


def _refuse(constant: str) -> object:
    raise ValueError(constant)


def read_words(text: str, escape: str) -> list[Word]:
    """The words of `text`, cut at white space outside quotes; quotes and escapes stay in them."""
    if escape not in text:
        words = _plain_words(text)
        if words is not None:
            return words
    return _grammar_words(text, escape) if text else []


def _plain_words(text: str) -> list[Word] | None:
    words: list[Word] = []
    position = 0
    while position < len(text):
        matched = _PLAIN_WORD.match(text, position)
        if matched is None:
            return None
        words.append(Word(matched[0], position))
        gap = _SPACE_RUN.match(text, matched.end())
        position = gap.end() if gap else len(text)
    return words


def _grammar_words(text: str, escape: str) -> list[Word]:
    trees = grammar.load("pairs", escape).parse(text).children
    words = [tokens for tokens in map(_tokens, trees) if tokens]
    return [Word("".join(tokens), tokens[0].start_pos or 0) for tokens in words]


def _tokens(tree: Tree[Token] | Token) -> list[Token]:
    """The tokens of a rule that holds nothing else."""
    from lark import Token

    children = () if isinstance(tree, Token) else tree.children
    return [child for child in children if isinstance(child, Token)]


def read_pairs(keyword: str, text: str, escape: str) -> tuple[tuple[Pair, ...], bool]:
    """The pairs of ENV and LABEL, and whether they are in the old form without `=`.

    Raises: ArgumentError when a word has no `=`, or the old form has no value.
    """
    words = [word.text for word in read_words(text, escape)]
    if not words:
        return (), False
    if "=" not in words[0]:
        parts = split_blanks(text, 1)
        if len(parts) < 2:
            raise ArgumentError(f"{keyword} must have two arguments")
        return (Pair(parts[0], parts[1]),), True
    for word in words:
        if "=" not in word:
            raise ArgumentError(
                f"Syntax error - can't find = in {quote(word)}. Must be of the form: name=value"
            )
    cut = (word.partition("=") for word in words)
    return tuple(Pair(name, value) for name, _, value in cut), False


def split_flags(text: str, escape: str) -> tuple[tuple[str, ...], str]:
    """The flag words in front of `text`, without quotes, and what stands behind them."""
    if not text.startswith("--"):
        return (), text
    flags: list[str] = []
    position = 0
    while text.startswith("--", position):
        matched = _PLAIN_FLAG.match(text, position)
        if matched is None or escape in matched[0]:
            return _grammar_flags(text, escape)
        flags.append(matched[0])
        gap = _SPACE_RUN.match(text, matched.end())
        position = gap.end() if gap else len(text)
    return tuple(flags), text[position:]


def _grammar_flags(text: str, escape: str) -> tuple[tuple[str, ...], str]:
    from lark import Token

    flags: list[str] = []
    rest = ""
    for child in grammar.load("flags", escape).parse(text).children:
        if isinstance(child, Token):
            rest = str(child)
        else:
            flags.append("--" + "".join(_unquoted(token, escape) for token in _tokens(child)))
    return tuple(flags), rest


def _unquoted(token: Token, escape: str) -> str:
    text = str(token)
    if token.type == "QUOTED":
        text = text[1:-1]
    elif token.type == "UNCLOSED":
        text = text[1:]
    return _escaped(escape).sub(r"\1", text)


@cache
def _escaped(escape: str) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(escape)}([\s\S])")
