"""From the text of a template to a tree of frozen values.

Fields, variables, literals, calls, pipelines, `if`, `range`, `with`, comments and trim markers; no definitions of
other templates, which nobody types on a command line. Source: Go's text/template.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Final

from builder.system.errors import UsageError

_ACTION: Final = re.compile(r"\{\{(- )?(.*?)( -)?\}\}", re.DOTALL)
_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?P<number>-?\d+)|(?P<field>(?:\.[A-Za-z_]\w*)+|\.)"""
    r"""|(?P<variable>\$\w*(?:\.[A-Za-z_]\w*)*)|(?P<word>[A-Za-z_]\w*)|(?P<mark>:=|=|[|(),]))"""
)
_ESCAPES: Final = {"n": "\n", "t": "\t", "\\": "\\", '"': '"', "r": "\r"}


class InvalidTemplate(UsageError):
    """A template that cannot be read or run."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A string, number, truth or nothing."""

    value: object


@dataclass(frozen=True, slots=True)
class Path:
    """Fields of the current value, of the variable `of`, or of what `of` yields."""

    of: str | Pipeline
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function, or a value without arguments; what the pipeline has so far is the last argument."""

    function: str | None
    arguments: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Calls from left to right."""

    calls: tuple[Call, ...]


Operand = Literal | Path | Pipeline


@dataclass(frozen=True, slots=True)
class Text:
    """Text as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Show:
    """A value to print; with a name it is kept there and not printed."""

    pipeline: Pipeline
    variable: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """`if`, `range` or `with`; `names` are the variables of its pipeline."""

    kind: str
    pipeline: Pipeline
    names: tuple[str, ...]
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


Node = Text | Show | Block
_KINDS: Final = ("if", "range", "with")


def parse(text: str) -> tuple[Node, ...]:
    """The nodes of a template. Raises: InvalidTemplate."""
    pieces = deque(_pieces(text))
    nodes, ended = _nodes(pieces)
    if ended:
        raise InvalidTemplate(f"template parsing error: unexpected {{{{{ended}}}}}")
    return nodes


def _pieces(text: str) -> list[tuple[bool, str]]:
    """Text (False) and actions (True), white space trimmed as the markers say."""
    pieces: list[tuple[bool, str]] = []
    position, trim = 0, False
    for found in _ACTION.finditer(text):
        before = text[position : found.start()]
        before = before.lstrip() if trim else before
        pieces.append((False, before.rstrip() if found[1] else before))
        if not found[2].lstrip().startswith("/*"):
            pieces.append((True, found[2].strip()))
        position, trim = found.end(), bool(found[3])
    rest = text[position:].lstrip() if trim else text[position:]
    if "{{" in rest:
        raise InvalidTemplate("template parsing error: unclosed action")
    pieces.append((False, rest))
    return pieces


def _nodes(pieces: deque[tuple[bool, str]]) -> tuple[tuple[Node, ...], str]:
    """Nodes up to the action that ends them, which is returned, too: `end`, `else`, or nothing at the end."""
    nodes: list[Node] = []
    while pieces:
        is_action, text = pieces.popleft()
        word, _, rest = text.partition(" ")
        if not is_action:
            nodes += [Text(text)] if text else []
        elif word in ("end", "else"):
            return tuple(nodes), text
        elif word in _KINDS:
            nodes.append(_block(word, rest, pieces))
        else:
            names, pipeline = _declared(text)
            nodes.append(Show(pipeline, names[0] if names else ""))
    return tuple(nodes), ""


def _block(kind: str, head: str, pieces: deque[tuple[bool, str]]) -> Block:
    names, pipeline = _declared(head)
    body, ended = _nodes(pieces)
    otherwise: tuple[Node, ...] = ()
    word, _, rest = ended.partition(" ")
    if word == "else" and rest:
        inner, _, condition = rest.strip().partition(" ")
        return Block(kind, pipeline, names, body, (_block(inner, condition, pieces),))
    if word == "else":
        otherwise, ended = _nodes(pieces)
    if ended != "end":
        raise InvalidTemplate("template parsing error: unexpected EOF")
    return Block(kind, pipeline, names, body, otherwise)


def _declared(text: str) -> tuple[tuple[str, ...], Pipeline]:
    """`$key, $value := pipeline`, or a pipeline alone."""
    tokens = _tokens(text)
    names: list[str] = []
    marks = [
        position for position, (kind, value) in enumerate(tokens) if value in (":=", "=") and kind == "mark"
    ]
    if marks:
        names = [value for kind, value in list(tokens)[: marks[0]] if kind == "variable"]
        for _ in range(marks[0] + 1):
            tokens.popleft()
    pipeline = _pipeline(tokens, text)
    if tokens:
        raise InvalidTemplate(f"template parsing error: unexpected {tokens[0][1]!r} in {text!r}")
    return tuple(names), pipeline


def _tokens(text: str) -> deque[tuple[str, str]]:
    tokens: deque[tuple[str, str]] = deque()
    position = 0
    text = text.rstrip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            raise InvalidTemplate(f"template parsing error: unexpected {text[position:][:20]!r} in {text!r}")
        tokens.append((found.lastgroup, found[found.lastgroup]))
        position = found.end()
    return tokens


def _pipeline(tokens: deque[tuple[str, str]], text: str) -> Pipeline:
    calls = [_call(tokens, text)]
    while tokens and tokens[0] == ("mark", "|"):
        tokens.popleft()
        calls.append(_call(tokens, text))
    return Pipeline(tuple(calls))


def _call(tokens: deque[tuple[str, str]], text: str) -> Call:
    function = None
    if tokens and tokens[0][0] == "word" and tokens[0][1] not in ("true", "false", "nil"):
        function = tokens.popleft()[1]
    arguments: list[Operand] = []
    while tokens and tokens[0] not in (("mark", "|"), ("mark", ")")):
        arguments.append(_operand(tokens, text))
    if function is None and len(arguments) != 1:
        raise InvalidTemplate(f"template parsing error: missing value for command in {text!r}")
    return Call(function, tuple(arguments))


def _operand(tokens: deque[tuple[str, str]], text: str) -> Operand:
    kind, value = tokens.popleft()
    match kind:
        case "string":
            return Literal(value[1:-1] if value[0] == "`" else _unescaped(value[1:-1]))
        case "number":
            return Literal(int(value))
        case "field":
            return Path("", tuple(name for name in value.split(".") if name))
        case "variable":
            variable, *names = value.split(".")
            return Path(variable, tuple(names))
        case "word" if value in ("true", "false", "nil"):
            return Literal({"true": True, "false": False, "nil": None}[value])
        case "word":
            return Pipeline((Call(value, ()),))
    if value != "(":
        raise InvalidTemplate(f"template parsing error: unexpected {value!r} in {text!r}")
    inner = _pipeline(tokens, text)
    if not tokens or tokens.popleft() != ("mark", ")"):
        raise InvalidTemplate(f"template parsing error: unclosed left paren in {text!r}")
    if tokens and tokens[0][0] == "field" and tokens[0][1] != ".":
        return Path(inner, tuple(name for name in tokens.popleft()[1].split(".") if name))
    return inner


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), text)
