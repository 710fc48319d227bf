"""Word expansion: what a word means, given variables.

Three readings of the same tree: the value of a word; the value of a pattern, where escapes stay for the
pattern to see; and the text shown to people, where quotes and unset variables stay as they were typed.
Names that were looked up and not found are reported, because checks and suggestions want to know them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.system.quoting import quote
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
    read_word,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_EXPANDED: Final = 1 << 20
"""Characters that a word may become. Twenty lines of `ENV A=$A$A` would otherwise fill any memory."""

_MAX_SHOWN: Final = 4096

# Halves of surrogate pairs, which no text from outside can hold.
_DISGUISE: Final = {ord("'"): "\udc27", ord('"'): "\udc22"}
_REVEAL: Final = {ord(hidden): chr(shown) for shown, hidden in _DISGUISE.items()}


def expand(
    word: str, variables: Mapping[str, str], *, escape: str = "\\", unset: set[str] | None = None
) -> str:
    """The value of `word`. Names that `variables` lacks are empty, and are added to `unset`.

    Raises: ExpansionError, with the word in its message.
    """
    if _means_itself(word, escape):
        return word
    expansion = _Expansion(variables, MAX_EXPANDED)
    try:
        value = expansion.value(read_word(word, escape))
    except ExpansionError as error:
        raise ExpansionError(f"failed to process {quote(word)}: {error}") from error
    if unset is not None:
        unset |= expansion.unset
    return value


def expand_document(
    text: str, variables: Mapping[str, str], *, name: str, unset: set[str] | None = None
) -> str:
    """The value of a heredoc's body: variables count, quotes do not, and only the backslash escapes.

    `name` is what an error calls the document. Raises: ExpansionError.
    """
    if "$" not in text and "\\" not in text:
        return text
    expansion = _Expansion(_Disguised(variables), len(text) + MAX_EXPANDED)
    try:
        value = expansion.value(read_word(text.translate(_DISGUISE), "\\"))
    except ExpansionError as error:
        raise ExpansionError(f"failed to process {quote(name)}: {error}".translate(_REVEAL)) from error
    if unset is not None:
        unset |= expansion.unset
    return value.translate(_REVEAL)


def show(text: str, variables: Mapping[str, str], *, escape: str = "\\", verbatim: bool) -> str:
    """`text` for people, expanded; as it stands where that fails or makes it much longer.

    `verbatim` keeps quotes and variables that are not set as they were typed.
    """
    if "$" not in text and escape not in text and (verbatim or _means_itself(text, escape)):
        return text
    expansion = _Expansion(variables, len(text) + _MAX_SHOWN, verbatim=verbatim)
    try:
        return expansion.value(read_word(text, escape))
    except ExpansionError:
        return text


def names_in(word: str, *, escape: str = "\\") -> frozenset[str]:
    """The variables that `word` looks up; none for a word that cannot be read."""
    unset: set[str] = set()
    try:
        expand(word, {}, escape=escape, unset=unset)
    except ExpansionError:
        return frozenset()
    return frozenset(unset)


def _means_itself(word: str, escape: str) -> bool:
    return not ("$" in word or '"' in word or "'" in word or escape in word)


class _Disguised(dict[str, str]):
    """Variables whose quotes look like those of a document in which quotes mean nothing."""

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        value = super().get(name, default)
        return None if value is None else value.translate(_DISGUISE)


class _Expansion:
    """One walk over a word; counts what it makes, so that no word grows without bound."""

    def __init__(self, variables: Mapping[str, str], limit: int, *, verbatim: bool = False) -> None:
        self._variables = variables
        self._limit = limit
        self._verbatim = verbatim
        self._raw_escapes = False
        self.unset: set[str] = set()

    def value(self, parts: tuple[Part, ...]) -> str:
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
