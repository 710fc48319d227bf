"""On which line of a TOML text each key stands, which the parser of the standard library does not tell.

Each statement is the least number of lines that the parser itself takes, so that no second grammar can disagree
with the first about strings, comments and arrays.
"""

from __future__ import annotations

import tomllib
from typing import Any, TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys from the root down; numbers count tables of one name, and members of arrays, from 0."""


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line, counted from 1, of every key and table header of `text`, which the parser has taken as a whole."""
    found: dict[KeyPath, int] = {}
    table: KeyPath = ()
    counts: dict[KeyPath, int] = {}
    pending, start = "", 1
    for number, line in enumerate(text.split("\n"), 1):
        start = start if pending else number
        pending += line + "\n"
        try:
            statement = tomllib.loads(pending)
        except tomllib.TOMLDecodeError:
            continue
        is_header, pending = pending.lstrip().startswith("["), ""
        if is_header:
            table = _opened(statement, counts)
            found.setdefault(table, start)
        else:
            for path in _paths(statement):
                found.setdefault((*table, *path), start)
    return found


def _opened(statement: dict[str, Any], counts: dict[KeyPath, int]) -> KeyPath:
    """The path of the table that a header opens, with the number of its turn for tables of one name."""
    path: KeyPath = ()
    value: Any = statement
    while value:
        if isinstance(value, list):
            counts[path] = counts.get(path, -1) + 1
            path, value = (*path, counts[path]), value[0]
            continue
        key, value = next(iter(value.items()))
        path = (*path, key)
        if isinstance(value, dict) and path in counts:
            path = (*path, counts[path])
    return path


def _paths(value: Any, before: KeyPath = ()) -> list[KeyPath]:
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    paths: list[KeyPath] = [before] if before else []
    for key, member in members:
        paths += _paths(member, (*before, key))
    return paths


def written(path: KeyPath) -> str:
    """`path` as people read it: `packages.forbidden[2].name`."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text
