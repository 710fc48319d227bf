"""What moved between two versions of a step: fields of its operation, and files of its content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from builder.graph.operations import Exec, File

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from builder.cache.parts import ListedFile
    from builder.graph.operations import Operation

Kind: TypeAlias = Literal["operation", "variable", "file", "content"]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that moved. Of a file, `field` is its path and `what` which of its attributes; texts are shortened.

    `before` None: it was not there; `after` None: it is not there any more.
    """

    kind: Kind
    field: str
    what: str = ""
    before: str | None
    after: str | None


_SHOWN = 200
_FILE_FIELDS = ("kind", "mode", "owner", "link", "device", "xattrs", "digest")
_NAMES = {"args": "command", "cwd": "working directory", "diff_ids": "layers"}


def operation_changes(before: Operation, after: Operation) -> tuple[Change, ...]:
    """Which fields of an operation moved; variables and file actions one by one."""
    if type(before) is not type(after):
        kinds = (type(before).__name__.lower(), type(after).__name__.lower())
        return (Change(kind="operation", field="kind", before=kinds[0], after=kinds[1]),)
    changes: list[Change] = []
    for name in before.__struct_fields__:
        old, new = getattr(before, name), getattr(after, name)
        # Positions of inputs say nothing that the inputs do not say.
        if old == new or (name in ("base", "mounts") and _same_but_inputs(old, new)):
            continue
        if isinstance(before, Exec) and name == "env":
            changes += _variables(dict(old), dict(new))
        elif isinstance(before, File) and name == "actions":
            changes += _actions(old, new)
        else:
            changes.append(_field(name, old, new))
    return tuple(changes)


def content_changes(before: Sequence[ListedFile], after: Sequence[ListedFile]) -> tuple[Change, ...]:
    """Which files appeared, went, or moved in an attribute that counts."""
    old = {each.name: each for each in before}
    new = {each.name: each for each in after}
    return tuple(_file_changes(old, new))


def _same_but_inputs(old: object, new: object) -> bool:
    return _without_inputs(msgspec.to_builtins(old, enc_hook=str)) == _without_inputs(
        msgspec.to_builtins(new, enc_hook=str)
    )


def _without_inputs(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_without_inputs(each) for each in value]
    if isinstance(value, dict):
        return {key: _without_inputs(each) for key, each in value.items() if key != "input"}
    return None if isinstance(value, int) else value


def _variables(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield Change(kind="variable", field=name, before=_text(old.get(name)), after=_text(new.get(name)))


def _actions(old: Sequence[msgspec.Struct], new: Sequence[msgspec.Struct]) -> Iterator[Change]:
    if len(old) != len(new):
        yield Change(kind="operation", field="actions", before=str(len(old)), after=str(len(new)))
        return
    for was, now in zip(old, new, strict=True):
        if type(was) is not type(now):
            yield _field("action", type(was).__name__, type(now).__name__)
            continue
        for name in was.__struct_fields__:
            if name != "input" and getattr(was, name) != getattr(now, name):
                yield _field(name, getattr(was, name), getattr(now, name))


def _field(name: str, old: object, new: object) -> Change:
    return Change(kind="operation", field=_NAMES.get(name, name), before=_text(old), after=_text(new))


def _file_changes(old: Mapping[bytes, ListedFile], new: Mapping[bytes, ListedFile]) -> Iterable[Change]:
    for name in sorted({*old, *new}):
        was, now = old.get(name), new.get(name)
        path = name.decode("utf-8", "replace") or "."
        if was is None:
            yield Change(kind="file", field=path, before=None, after="added")
        elif now is None:
            yield Change(kind="file", field=path, before="removed", after=None)
        else:
            for field in _FILE_FIELDS:
                before, after = getattr(was, field), getattr(now, field)
                if before != after:
                    yield Change(
                        kind="file",
                        field=path,
                        what="content" if field == "digest" else field,
                        before=_attribute(field, before),
                        after=_attribute(field, after),
                    )


def _attribute(field: str, value: object) -> str | None:
    if value is None:
        return None
    if field == "mode" and isinstance(value, int):
        return f"{value:04o}"
    if isinstance(value, bytes):
        return _text(value.decode("utf-8", "replace"))
    if field == "owner" and isinstance(value, tuple):
        return ":".join(map(str, value))
    return _text(value)


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        text = value
    elif isinstance(value, tuple) and all(isinstance(each, str) for each in value):
        text = " ".join(value)
    else:
        text = msgspec.json.encode(value, enc_hook=str).decode()
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
