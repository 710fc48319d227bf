"""Filters over cache entries, in containerd's syntax: `type==regular,description~=apt`.

Source of the syntax: containerd, pkg/filters; of the fields: BuildKit, cache/manager.go. A comma joins conditions
that must all hold; of several filters one must hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from builder.system.errors import UsageError

if TYPE_CHECKING:
    from builder.cache.entries import CacheEntry

Filter: TypeAlias = Callable[["CacheEntry"], bool]

_CONDITION: Final = re.compile(
    r"""\s*(?P<field>[a-z]+)\s*(?:(?P<operator>==|!=|~=)\s*(?P<value>"(?:[^"\\]|\\.)*"|[^,]*))?(?:,|$)"""
)
_VALUES: Final[dict[str, Callable[[CacheEntry], str]]] = {
    "id": lambda entry: entry.id,
    "parents": lambda entry: ";".join(entry.parents),
    "description": lambda entry: entry.description,
    "type": lambda entry: entry.kind,
}
_STATES: Final[dict[str, Filter]] = {
    "inuse": lambda entry: entry.in_use,
    "mutable": lambda entry: entry.mutable,
    "immutable": lambda entry: not entry.mutable,
    "shared": lambda entry: entry.shared,
    "private": lambda entry: not entry.shared,
}
_TRUTHS: Final = {"true": True, "false": False}


def any_of(texts: Sequence[str]) -> Filter:
    """What at least one of `texts` matches; none of them matches everything. Raises: UsageError."""
    filters = [_parse(text) for text in texts]
    return lambda entry: not filters or any(matches(entry) for matches in filters)


def _parse(text: str) -> Filter:
    conditions: list[Filter] = []
    at = 0
    while at < len(text) or not conditions:
        found = _CONDITION.match(text, at)
        if found is None or found.end() == at:
            raise UsageError(
                f"invalid filter {text!r}", hint="filters look like type==regular or description~=REGEX"
            )
        conditions.append(_condition(found["field"], found["operator"], found["value"], text))
        at = found.end()
    return lambda entry: all(condition(entry) for condition in conditions)


def _condition(field: str, operator: str | None, quoted: str | None, text: str) -> Filter:
    value = None if quoted is None else _unquoted(quoted.strip())
    if operator is None or value is None:
        if field in _STATES:
            return _STATES[field]
        if field in _VALUES:
            return lambda entry: bool(_VALUES[field](entry))
    elif field in _STATES and value in _TRUTHS and operator == "==":
        return lambda entry: _STATES[field](entry) is _TRUTHS[value]
    elif field in _VALUES:
        return _comparison(_VALUES[field], operator, value, text)
    known = ", ".join((*_VALUES, *_STATES))
    raise UsageError(f"invalid filter {text!r}: no field {field!r} to compare", hint=f"fields: {known}")


def _comparison(read: Callable[[CacheEntry], str], operator: str, value: str, text: str) -> Filter:
    if operator == "~=":
        try:
            pattern = re.compile(value)
        except re.error as error:
            raise UsageError(f"invalid filter {text!r}: {error}") from error
        return lambda entry: pattern.search(read(entry)) is not None
    wanted = operator == "=="
    return lambda entry: (read(entry) == value) is wanted


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') and len(value) > 1 else value
