"""Word expansion: what a word means, given variables.

Three readings of the same tree: the value of a word; the value of a pattern, where escapes stay for the
pattern to see; and the text shown to people, where quotes and unset variables stay as they were typed.
Names that were looked up and not found are reported, because checks and suggestions want to know them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.system.quoting import quote
from frontend.dockerfile.errors import ExpansionError

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
    try:
        value, missing = _value(word, variables, escape, limit=MAX_EXPANDED)
    except ExpansionError as error:
        raise ExpansionError(f"failed to process {quote(word)}: {error}") from error
    if unset is not None:
        unset |= missing
    return value


def expand_document(
    text: str, variables: Mapping[str, str], *, name: str, unset: set[str] | None = None
) -> str:
    """The value of a heredoc's body: variables count, quotes do not, and only the backslash escapes.

    `name` is what an error calls the document. Raises: ExpansionError.
    """
    if "$" not in text and "\\" not in text:
        return text
    disguised = text.translate(_DISGUISE)
    try:
        value, missing = _value(disguised, _Disguised(variables), "\\", limit=len(text) + MAX_EXPANDED)
    except ExpansionError as error:
        raise ExpansionError(f"failed to process {quote(name)}: {error}".translate(_REVEAL)) from error
    if unset is not None:
        unset |= missing
    return value.translate(_REVEAL)


def show(text: str, variables: Mapping[str, str], *, escape: str = "\\", verbatim: bool) -> str:
    """`text` for people, expanded; as it stands where that fails or makes it much longer.

    `verbatim` keeps quotes and variables that are not set as they were typed.
    """
    if "$" not in text and escape not in text and (verbatim or _means_itself(text, escape)):
        return text
    try:
        value, _ = _value(text, variables, escape, limit=len(text) + _MAX_SHOWN, verbatim=verbatim)
    except ExpansionError:
        return text
    return value


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


def _value(
    word: str, variables: Mapping[str, str], escape: str, *, limit: int, verbatim: bool = False
) -> tuple[str, set[str]]:
    """The value of `word`, and the names that `variables` lacks. Raises: ExpansionError."""
    # Loaded here because words that mean themselves are all that many a Dockerfile has.
    from frontend.dockerfile.words import read_word
    from frontend.dockerfile.wordvalue import Expansion

    expansion = Expansion(variables, limit, verbatim=verbatim)
    return expansion.value(read_word(word, escape)), expansion.unset


class _Disguised(dict[str, str]):
    """Variables whose quotes look like those of a document in which quotes mean nothing."""

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]  # one of dict's three
        value = super().get(name, default)
        return None if value is None else value.translate(_DISGUISE)
