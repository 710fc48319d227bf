"""A logical line cut into instruction word, flags and arguments, and what is read from the flags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from frontend.dockerfile.arguments import read_json, split_flags
from frontend.dockerfile.characters import SPACES, split_blanks
from frontend.dockerfile.lines import LogicalLine
from frontend.dockerfile.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

FlagKind: TypeAlias = Literal["boolean", "string", "list"]


class StatementError(Exception):
    """A statement that breaks the rules of its instruction; `dockerfile parse error` is put before it."""


class Flags(msgspec.Struct, frozen=True, kw_only=True):
    """The flags of one instruction, by name, without dashes."""

    texts: dict[str, str]
    booleans: dict[str, bool]
    lists: dict[str, tuple[str, ...]]


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One instruction, not yet understood. `keyword` as typed; `rest` is trimmed."""

    line: LogicalLine
    keyword: str
    flag_words: tuple[str, ...]
    rest: str
    escape: str

    @property
    def name(self) -> str:
        """The instruction in upper case."""
        return self.keyword.upper()

    def json(self) -> tuple[str, ...] | None:
        """The arguments as a JSON array; None when they are not one. Raises: ArgumentError."""
        return read_json(self.rest)

    def list_words(self) -> tuple[str, ...]:
        """The arguments of instructions that take JSON or a plain list. Raises: ArgumentError."""
        words = self.json()
        return tuple(split_blanks(self.rest)) if words is None else words

    def single(self) -> str:
        """The whole argument. Raises: StatementError when there is none."""
        if not self.rest:
            raise StatementError(f"{self.name} requires exactly one argument")
        return self.rest

    def require_arguments(self, arguments: object) -> None:
        """Raises: StatementError when `arguments` are empty."""
        if not arguments:
            raise StatementError(f"{self.name} requires at least one argument")

    def flags(self, known: Mapping[str, FlagKind] | None = None) -> Flags:
        """The flags, read as what `known` says of each. Raises: StatementError."""
        return _read_flags(self.flag_words, known or {})


def split_statement(line: LogicalLine, escape: str) -> Statement:
    """The parts of a logical line."""
    keyword, *behind = split_blanks(line.text, 1) or [""]
    flag_words, rest = split_flags("".join(behind).lstrip(SPACES), escape)
    return Statement(
        line=line, keyword=keyword, flag_words=flag_words, rest=rest.strip(SPACES), escape=escape
    )


_BOOLEANS: Final = {"true": True, "false": False}


def _read_flags(words: tuple[str, ...], known: Mapping[str, FlagKind]) -> Flags:
    texts: dict[str, str] = {}
    booleans: dict[str, bool] = {}
    lists: dict[str, tuple[str, ...]] = {}
    for word in words:
        name, equals, value = word[2:].partition("=")
        kind = known.get(name)
        if kind is None:
            raise StatementError(f"unknown flag: --{name}{did_you_mean(name, known)}")
        if name in texts or name in booleans:
            raise StatementError(f"duplicate flag specified: --{name}")
        if not equals and kind != "boolean":
            raise StatementError(f"missing a value on flag: --{name}")
        if kind == "boolean":
            booleans[name] = _read_boolean(name, value) if equals else True
        elif kind == "list":
            lists[name] = (*lists.get(name, ()), value)
        else:
            texts[name] = value
    return Flags(texts=texts, booleans=booleans, lists=lists)


def _read_boolean(name: str, value: str) -> bool:
    if not value:
        raise StatementError(f"missing a value on flag: --{name}")
    truth = _BOOLEANS.get(value.lower())
    if truth is None:
        raise StatementError(f"expecting boolean value for flag --{name}, not: {value}")
    return truth
