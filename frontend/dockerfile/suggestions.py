"""`(did you mean X?)`: the candidate that is at most two typing errors away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_DISTANCE: Final = 2
# Comparing two words costs the product of their lengths.
_MAX_LENGTH: Final = 48


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """` (did you mean X?)` for the nearest candidate, first in order among equals; empty when none is near."""
    nearest = suggest(word, candidates)
    return f" (did you mean {nearest}?)" if nearest else ""


def suggest(word: str, candidates: Iterable[str]) -> str | None:
    """The nearest candidate; None when none is near, when `word` is itself one, or too long to be a slip."""
    if len(word) > _MAX_LENGTH:
        return None
    best: tuple[int, str] | None = None
    for candidate in sorted(set(candidates)):
        if candidate == word:
            return None
        # The lengths alone tell it for nearly all, and keep a hostile word from costing anything.
        if abs(len(candidate) - len(word)) > _MAX_DISTANCE:
            continue
        distance = _levenshtein(word, candidate)
        if distance <= _MAX_DISTANCE and (best is None or distance < best[0]):
            best = (distance, candidate)
    return best[1] if best else None


def _levenshtein(left: str, right: str) -> int:
    previous = list(range(len(right) + 1))
    for row, a in enumerate(left, 1):
        current = [row]
        for column, b in enumerate(right, 1):
            current.append(min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (a != b)))
        previous = current
    return previous[-1]
