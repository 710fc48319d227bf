"""The syntax tree of a word: text, quotes, variables, and every `${}` form.

Two readers make the same tree: regular expressions for words whose braces hold nothing but text and variables,
which is nearly all of them, and the grammar for everything. Columns count from 0 in the word.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias, cast

import msgspec

from frontend.dockerfile import grammar
from frontend.dockerfile.errors import ExpansionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lark import Token, Tree
    from lark.parsers.lalr_interactive_parser import InteractiveParser

MAX_DEPTH: Final = 64
"""How deep `${}` forms and quotes may stand in each other."""


class Text(msgspec.Struct, frozen=True, tag=True):
    """Characters that mean themselves."""

    text: str
    column: int


class Escaped(msgspec.Struct, frozen=True, tag=True):
    """Escape characters, each with what it takes the meaning from, as written.

    In double quotes, an escape that takes no meaning from anything stands alone.
    """

    text: str
    column: int
    quoted: bool = False


class SingleQuoted(msgspec.Struct, frozen=True, tag=True):
    """What stands between single quotes."""

    text: str
    column: int


class DoubleQuoted(msgspec.Struct, frozen=True, tag=True):
    """What stands between double quotes."""

    parts: tuple[Part, ...]
    column: int


class Variable(msgspec.Struct, frozen=True, tag=True):
    """`$name` or `${name}`."""

    name: str
    braced: bool
    column: int


class Conditional(msgspec.Struct, frozen=True, tag=True):
    """`${name:-word}` and its kin; `operator` is one of `-`, `+`, `?`, with or without a colon before it."""

    name: str
    operator: str
    word: tuple[Part, ...]
    column: int


class Trim(msgspec.Struct, frozen=True, tag=True):
    """`${name#pattern}` and its kin; `operator` is one of `#`, `##`, `%`, `%%`."""

    name: str
    operator: str
    pattern: tuple[Part, ...]
    column: int


class Replace(msgspec.Struct, frozen=True, tag=True):
    """`${name/pattern/replacement}`; `everywhere` for two slashes."""

    name: str
    everywhere: bool
    pattern: tuple[Part, ...]
    replacement: tuple[Part, ...]
    column: int


Part: TypeAlias = Text | Escaped | SingleQuoted | DoubleQuoted | Variable | Conditional | Trim | Replace

_NAME: Final = r"(?:\d+|[@*#?$!-]|\w+)"
_VARIABLE: Final = rf"\$(?P<name>{_NAME})|\$\{{(?P<braced>{_NAME})\}}|(?P<dollar>\$(?![\w@*#?$!{{-]))"
_FORM: Final = rf"(?P<form>\$\{{{_NAME}(?::?[-+?]|##?|%%?))"
_OPENING: Final = rf"\$\{{({_NAME}|)([\s\S]?)([\s\S]?)"


@cache
def _plain(escape: str) -> re.Pattern[str]:
    """What may stand outside of quotes."""
    return re.compile(
        rf"(?P<text>[^$'\"{re.escape(escape)}]+)|{_VARIABLE}|{_FORM}"
        rf"|(?P<escaped>(?:{re.escape(escape)}[\s\S]?)+)"
        r"|'(?P<single>[^']*)'"
        r"|(?P<double>\")"
    )


@cache
def _quoted(escape: str) -> re.Pattern[str]:
    """What may stand in double quotes."""
    return re.compile(
        rf"(?P<text>[^$\"{re.escape(escape)}]+)|{_VARIABLE}|{_FORM}"
        rf"|(?P<quoted_escape>{re.escape(escape)}[\"${re.escape(escape)}]?)"
    )


@cache
def _operand(escape: str) -> re.Pattern[str]:
    """What may stand in the braces of a form, up to their end."""
    return re.compile(rf"(?:[^$'\"{re.escape(escape)}}}]+|\$(?:{_NAME}|\{{{_NAME}\}}))*\}}")


@lru_cache(maxsize=1024)
def read_word(text: str, escape: str) -> tuple[Part, ...]:
    """The parts of `text`.

    Raises: ExpansionError for a quote or brace that is not closed, and for forms that do not exist.
    """
    parts = _read_plain(text, escape)
    return _read_any(text, escape) if parts is None else parts


def _read_plain(text: str, escape: str) -> tuple[Part, ...] | None:
    """The parts of a word with plain braces; None for any other, and for one that is broken."""
    parts, end = _scan(text, 0, escape, _plain(escape))
    return parts if end == len(text) else None


def _scan(text: str, position: int, escape: str, pattern: re.Pattern[str]) -> tuple[tuple[Part, ...], int]:
    """The parts from `position` on, and where the first thing stands that `pattern` does not know."""
    parts: list[Part] = []
    while matched := pattern.match(text, position):
        column, position = position, matched.end()
        if matched.lastgroup == "double":
            quoted, position = _scan(text, position, escape, _quoted(escape))
            if not text.startswith('"', position):
                return (), column
            parts.append(DoubleQuoted(quoted, column))
            position += 1
        elif matched.lastgroup == "form":
            operand = _operand(escape).match(text, position)
            if operand is None:
                return (), column
            inner, _ = _scan(text[: operand.end() - 1], position, escape, _plain(escape))
            parts.append(_form(matched["form"], inner, column))
            position = operand.end()
        else:
            parts.append(_plain_part(matched, column))
    return tuple(parts), position


def _form(opening: str, operand: tuple[Part, ...], column: int) -> Part:
    matched = re.match(_OPENING, opening)
    assert matched is not None
    name, operator = matched[1], matched[2] + matched[3]
    kind = Trim if operator[0] in "#%" else Conditional
    return kind(name, operator, operand, column)


def _plain_part(matched: re.Match[str], column: int) -> Part:
    kind = matched.lastgroup or ""
    content = matched[kind]
    match kind:
        case "text" | "dollar":
            return Text(content, column)
        case "single":
            return SingleQuoted(content, column)
        case "escaped" | "quoted_escape":
            return Escaped(content, column, kind == "quoted_escape")
        case _:
            return Variable(content, kind == "braced", column)


def _read_any(text: str, escape: str) -> tuple[Part, ...]:
    from lark.exceptions import UnexpectedInput

    parser = grammar.load("expansion", escape).parse_interactive(text)
    try:
        parser.exhaust_lexer()
        tree: Tree[Token] = parser.feed_eof()  # type: ignore[no-untyped-call]  # lark leaves it out
    except UnexpectedInput as error:
        at_end = getattr(getattr(error, "token", None), "type", "") == "$END"
        # lark annotates the position as None.
        _explain(text, parser, len(text) if at_end else cast("int", error.pos_in_stream))
    return _parts(tree.children, 0)


def _parts(children: Iterable[Tree[Token] | Token], depth: int) -> tuple[Part, ...]:
    from lark import Token

    if depth > MAX_DEPTH:
        raise ExpansionError(f"quotes and ${{}} forms stand more than {MAX_DEPTH} deep in each other")
    return tuple(
        _token_part(child) if isinstance(child, Token) else _rule_part(child, depth + 1) for child in children
    )


def _token_part(token: Token) -> Part:
    text, column = str(token), token.start_pos or 0
    match token.type:
        case "VARIABLE":
            braced = text.startswith("${")
            return Variable(text[2:-1] if braced else text[1:], braced, column)
        case "SINGLE_QUOTED":
            return SingleQuoted(text[1:-1], column)
        case "ESCAPED" | "QUOTED_ESCAPE":
            return Escaped(text, column, token.type == "QUOTED_ESCAPE")
        case _:
            return Text(text, column)


def _rule_part(tree: Tree[Token], depth: int) -> Part:
    opening, *operands = tree.children
    column = getattr(opening, "start_pos", 0)
    if tree.data == "double_quoted":
        return DoubleQuoted(_parts(operands, depth), column)
    matched = re.match(_OPENING, str(opening))
    name, operator = (matched[1], matched[2] + matched[3]) if matched else ("", "")
    # Between pattern and replacement stands the slash, a bare token.
    words = [_parts(operand.children, depth) for operand in operands if hasattr(operand, "children")]
    if tree.data == "conditional":
        return Conditional(name, operator, words[0], column)
    if tree.data == "trim":
        return Trim(name, operator, words[0], column)
    return Replace(name, operator == "//", words[0], words[1], column)


def _explain(text: str, parser: InteractiveParser, position: int) -> NoReturn:
    """Says what BuildKit says of a word that is not one.

    At the end of the text the outermost open brace is what is missing, whatever is open inside it.
    """
    reason, reaches_end = _broken_form(text, position)
    opened = _outermost_open(parser.parser_state.value_stack)
    if reaches_end and opened:
        raise ExpansionError(opened)
    raise ExpansionError(reason)


def _broken_form(text: str, position: int) -> tuple[str, bool]:
    """What is wrong at `position`, and whether reading it comes to the end of the text."""
    if text.startswith("'", position):
        return "unexpected end of statement while looking for matching single-quote", True
    matched = re.compile(_OPENING).match(text, position)
    if matched is None:
        return "unexpected end of statement while looking for matching double-quote", True
    name, operator, second = matched.groups()
    if not name and not operator:
        return "syntax error: missing '}'", True
    if not name and operator in "{}:":
        return "syntax error: bad substitution", False
    if operator == ":" and "}" not in text[matched.end() :]:
        return "syntax error: missing '}'", True
    modifier = operator + second if operator == ":" else operator or "\ufffd"
    return f"unsupported modifier ({modifier}) in substitution", matched.end(2) == len(text)


def _outermost_open(stack: Sequence[object]) -> str:
    types = [str(getattr(each, "type", "")) for each in stack]
    for index, kind in enumerate(types):
        if kind == "OPEN_REPLACE" and types[index + 2 : index + 3] != ["SLASH"]:
            return "syntax error: missing '/' in ${}"
        if kind.startswith("OPEN_"):
            return "syntax error: missing '}'"
    return ""
