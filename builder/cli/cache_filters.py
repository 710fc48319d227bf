"""`--filter` of `dockyard cache`, in the words of buildx."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import click

from builder.system.errors import UsageError
from builder.system.quantities import parse_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

_AGES: Final = ("until", "unused-for")

FILTER_OPTION: Final = click.option(
    "--filter",
    "filters",
    metavar="NAME=VALUE",
    multiple=True,
    help="Only what matches: id, type, description, parents (=, != or ~=), inuse, mutable, immutable, shared, "
    "private, until=24h. May be repeated; all must hold.",
)


class CacheFilter(NamedTuple):
    """`filters`: at most one text in containerd's syntax; `seconds`: for how long nobody must have used it."""

    filters: tuple[str, ...]
    seconds: float


def read_filters(words: Sequence[str]) -> CacheFilter:
    """What `--filter` asks for. Raises: UsageError."""
    ages: dict[str, str] = {}
    conditions: dict[str, str] = {}
    for word in words:
        name, equals, value = word.strip().partition("=")
        name, value = name.strip().lower(), value.strip()
        if not name:
            raise UsageError(f"invalid filter {word!r}", hint="filters look like type=regular or until=24h")
        found = ages if name in _AGES else conditions
        if found.get(name, value) != value:
            raise UsageError(f'"{name}" filter expects only one value')
        found[name] = value if equals else ""
    if len(ages) > 1:
        raise UsageError('conflicting filters "until" and "unused-for"')
    seconds = next((parse_duration(f'"{name}" filter', value) for name, value in ages.items()), 0.0)
    joined = ",".join(_condition(name, value) for name, value in conditions.items())
    return CacheFilter((joined,) if joined else (), seconds)


def _condition(name: str, value: str) -> str:
    if not value:
        return name
    quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if name.endswith(("!", "~")):
        return f"{name}={quoted}"
    return f"{name}~={quoted}" if name == "id" else f"{name}=={quoted}"
