"""Which of two versions is newer: by the rules of the packages' own world, and ranges made of that.

Python packages by PEP 440; packages of npm, Cargo, Go and others of that habit by semantic versioning; all else,
Debian's first of all, by dpkg's order, which is total: of any two texts it says which is newer.
Source: deb-version(7); PEP 440; semver.org 2.0.0, section 11.
"""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

_SEMANTIC: Final = frozenset(
    {"npm", "cargo", "golang", "gem", "nuget", "composer", "hex", "swift", "pub", "github"}
)
_SEMVER: Final = re.compile(
    r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?", re.ASCII
)
_COMPARATOR: Final = re.compile(r"\s*(<=|>=|==|!=|<|>|=)\s*([^\s,<>=!]+)\s*")
_PARTS: Final = re.compile(r"(\D*)(\d*)", re.ASCII)
_MAX_VERSION: Final = 1000

_HOLDS: Final[dict[str, Callable[[int], bool]]] = {
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
    "=": lambda order: order == 0,
    "==": lambda order: order == 0,
    "!=": lambda order: order != 0,
}


class Range(msgspec.Struct, frozen=True):
    """Versions that satisfy every one of `comparators`, pairs of an operator and a version."""

    comparators: tuple[tuple[str, str], ...] = ()

    def holds(self, version: str, kind: str) -> bool:
        """Whether `version` of a package of the purl type `kind` lies in the range."""
        return all(_HOLDS[operator](compare(version, bound, kind)) for operator, bound in self.comparators)

    def __str__(self) -> str:
        return ", ".join(f"{operator}{bound}" for operator, bound in self.comparators)


def parse_range(text: str) -> Range:
    """Comparators with commas between them: `>=3.0, <3.0.2`. Raises: ValueError."""
    found = [_COMPARATOR.fullmatch(part) for part in text.split(",")]
    if not all(found):
        raise ValueError(f"{text!r} is no range of versions, as '>=3.0, <3.0.2' is")
    return Range(tuple((match[1], match[2]) for match in found if match))


def compare(one: str, other: str, kind: str) -> int:
    """Below zero when `one` is older than `other`, above when newer, by the rules for the purl type `kind`."""
    one, other = one[:_MAX_VERSION], other[:_MAX_VERSION]
    if kind == "pypi":
        order = _compare_python(one, other)
    elif kind in _SEMANTIC:
        order = _compare_semantic(one, other)
    else:
        order = None
    return _compare_dpkg(one, other) if order is None else order


def _compare_python(one: str, other: str) -> int | None:
    # Loaded here because most images are not about Python.
    from packaging.version import InvalidVersion, Version

    try:
        left, right = Version(one), Version(other)
    except InvalidVersion:
        return None
    return (left > right) - (left < right)


def _compare_semantic(one: str, other: str) -> int | None:
    left, right = _SEMVER.fullmatch(one), _SEMVER.fullmatch(other)
    if left is None or right is None:
        return None
    numbers = [tuple(int(match[n] or 0) for n in (1, 2, 3)) for match in (left, right)]
    if numbers[0] != numbers[1]:
        return -1 if numbers[0] < numbers[1] else 1
    before = [_pre_release(match[4]) for match in (left, right)]
    return (before[0] > before[1]) - (before[0] < before[1])


def _pre_release(text: str | None) -> tuple[tuple[int, int, str], ...]:
    """Sorts as semantic versioning asks: numbers before words, fewer before more, all before the release."""
    if text is None:
        return ((2, 0, ""),)
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in text.split("."))


def _compare_dpkg(one: str, other: str) -> int:
    (epoch, upstream, revision), (epoch2, upstream2, revision2) = _split(one), _split(other)
    return (
        (epoch > epoch2) - (epoch < epoch2)
        or _verrevcmp(upstream, upstream2)
        or _verrevcmp(revision, revision2)
    )


def _split(version: str) -> tuple[int, str, str]:
    epoch, colon, rest = version.partition(":")
    if not (colon and epoch.isascii() and epoch.isdecimal()):
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return int(epoch), upstream, revision


def _verrevcmp(one: str, other: str) -> int:
    """Words and numbers in turn; a tilde sorts before the end, letters before other characters."""
    for (word, number), (word2, number2) in zip_longest(
        _PARTS.findall(one), _PARTS.findall(other), fillvalue=("", "")
    ):
        keys = [_word_key(each) for each in (word, word2)]
        if keys[0] != keys[1]:
            return -1 if keys[0] < keys[1] else 1
        values = int(number or 0), int(number2 or 0)
        if values[0] != values[1]:
            return -1 if values[0] < values[1] else 1
    return 0


def _word_key(word: str) -> tuple[int, ...]:
    # The end of a word is 0: behind a tilde, before everything else.
    return (
        *(-1 if char == "~" else ord(char) if char.isalpha() else ord(char) + 0x110000 for char in word),
        0,
    )
