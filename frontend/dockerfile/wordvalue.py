"""The value of a word's syntax tree, given variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frontend.dockerfile.errors import ExpansionError
from frontend.dockerfile.substitution import find_matches, trim_prefix, trim_suffix
from frontend.dockerfile.words import (
    Conditional,
    DoubleQuoted,
    Escaped,
    Part,
    Replace,
    SingleQuoted,
    Text,
    Trim,
    Variable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class Expansion:
    """One walk over a word; counts what it makes, so that no word grows without bound."""

    def __init__(self, variables: Mapping[str, str], limit: int, *, verbatim: bool = False) -> None:
        """`limit`: characters that the value may have; `verbatim`: as people are shown it."""
        self._variables = variables
        self._limit = limit
        self._verbatim = verbatim
        self._raw_escapes = False
        self.unset: set[str] = set()

    def value(self, parts: tuple[Part, ...]) -> str:
        """The value of `parts`, one after the other. Raises: ExpansionError."""
        pieces: list[str] = []
        size = 0
        for part in parts:
            piece = self._part(part)
            size += len(piece)
            if size > self._limit:
                raise ExpansionError(f"more than {self._limit} characters after expansion")
            pieces.append(piece)
        return "".join(pieces)

    def _part(self, part: Part) -> str:
        match part:
            case Text(text=text):
                return text
            case Escaped():
                return self._escaped(part)
            case SingleQuoted(text=text):
                return f"'{text}'" if self._verbatim else text
            case DoubleQuoted(parts=parts):
                value = self.value(parts)
                return f'"{value}"' if self._verbatim else value
            case Variable():
                return self._variable(part)
            case Conditional():
                return self._conditional(part)
            case Trim():
                return self._trim(part)
            case Replace():
                return self._replace(part)

    def _escaped(self, part: Escaped) -> str:
        if part.quoted and len(part.text) == 1:
            # It takes no meaning from anything and stays; a pattern must see it as a plain character.
            return part.text * 2 if self._raw_escapes else part.text
        return part.text if self._raw_escapes else part.text[1::2]

    def _raw(self, parts: tuple[Part, ...]) -> str:
        before, self._raw_escapes = self._raw_escapes, True
        try:
            return self.value(parts)
        finally:
            self._raw_escapes = before

    def _cooked(self, parts: tuple[Part, ...]) -> str:
        before, self._raw_escapes = self._raw_escapes, False
        try:
            return self.value(parts)
        finally:
            self._raw_escapes = before

    def _lookup(self, name: str) -> str | None:
        value = self._variables.get(name)
        if value is None:
            self.unset.add(name)
        return value

    def _variable(self, part: Variable) -> str:
        value = self._lookup(part.name)
        if value is None:
            typed = f"${{{part.name}}}" if part.braced else f"${part.name}"
            return typed if self._verbatim else ""
        return value

    def _conditional(self, part: Conditional) -> str:
        word = self._cooked(part.word)
        value = self._lookup(part.name)
        if value is None and self._verbatim:
            return f"${{{part.name}{part.operator}{word}}}"
        is_missing = value is None or (value == "" and part.operator.startswith(":"))
        match part.operator[-1]:
            case "-":
                return word if is_missing else value or ""
            case "+":
                return "" if is_missing else word
            case _:
                if is_missing:
                    state = "unset" if value is None else "empty"
                    raise ExpansionError(f"{part.name}: {word or f'is not allowed to be {state}'}")
                return value or ""

    def _trim(self, part: Trim) -> str:
        pattern = self._raw(part.pattern)
        value = self._lookup(part.name)
        if value is None and self._verbatim:
            return f"${{{part.name}{part.operator}{pattern}}}"
        trim = trim_prefix if part.operator.startswith("#") else trim_suffix
        return trim(value or "", pattern, longest=len(part.operator) == 2)

    def _replace(self, part: Replace) -> str:
        pattern = self._raw(part.pattern)
        replacement = self._raw(part.replacement)
        value = self._lookup(part.name)
        if value is None and self._verbatim:
            slashes = "//" if part.everywhere else "/"
            return f"${{{part.name}{slashes}{pattern}/{replacement}}}"
        value = value or ""
        pieces: list[str] = []
        size = copied = 0
        for start, end in find_matches(value, pattern):
            pieces += (value[copied:start], replacement)
            size += start - copied + len(replacement)
            copied = end
            if size > self._limit:
                raise ExpansionError(f"more than {self._limit} characters after expansion")
            if not part.everywhere:
                break
        return "".join((*pieces, value[copied:]))
