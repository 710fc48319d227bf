"""The functions of templates: those of Go, and those that Docker's commands add to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from builder.oci.digest import encode_json
from builder.oci.manifest import escape_html


def printed(value: object) -> str:
    """As Go prints a value: maps sorted by key, `<no value>` for nothing."""
    match value:
        case None:
            return "<no value>"
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case Mapping():
            return f"map[{' '.join(f'{key}:{printed(value[key])}' for key in sorted(value))}]"
        case Sequence():
            return f"[{' '.join(map(printed, value))}]"
    return str(value)


def _json(value: object) -> str:
    """JSON, indented by two spaces, as buildx does it."""
    plain = dict(value) if isinstance(value, Mapping) else value
    return msgspec.json.format(escape_html(encode_json(plain)), indent=2).decode()


def _index(value: object, *keys: object) -> object:
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, Sequence) and not isinstance(value, str) and isinstance(key, int):
            value = value[key]
        else:
            raise TypeError(f"cannot index {printed(value)[:100]!r} with {key!r}")
    return value


def _length(value: object) -> int:
    if isinstance(value, Mapping | Sequence):
        return len(value)
    raise TypeError(f"{printed(value)!r} has no length")


def _printf(form: str, *values: object) -> str:
    pieces = iter(values)
    made, _, rest = form.partition("%")
    while rest:
        verb, rest = rest[0], rest[1:]
        made += "%" if verb == "%" else _verb(verb, next(pieces, None))
        text, _, rest = rest.partition("%")
        made += text
    return made


def _verb(verb: str, value: object) -> str:
    if verb == "q":
        return msgspec.json.encode(printed(value)).decode()
    if verb in "svdt":
        return printed(value)
    raise ValueError(f"the verb %{verb} is not supported")


def _and(first: object, *others: object) -> object:
    return next((each for each in (first, *others) if not each), (first, *others)[-1])


def _or(first: object, *others: object) -> object:
    return next((each for each in (first, *others) if each), (first, *others)[-1])


def _slice(value: str, start: int = 0, end: int | None = None) -> str:
    return value[start:end]


FUNCTIONS: Final[Mapping[str, Callable[..., object]]] = {
    "json": _json,
    "index": _index,
    "len": _length,
    "printf": _printf,
    "print": lambda *values: " ".join(map(printed, values)),
    "println": lambda *values: " ".join(map(printed, values)) + "\n",
    "eq": lambda first, *others: any(first == each for each in others),
    "ne": lambda first, second: first != second,
    "not": lambda value: not value,
    "and": _and,
    "or": _or,
    "slice": _slice,
    "join": lambda values, separator: separator.join(map(printed, values)),
    "split": lambda text, separator: text.split(separator),
    "lower": lambda text: text.lower(),
    "upper": lambda text: text.upper(),
}
