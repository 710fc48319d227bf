"""`RUN --mount=`: one record of comma-separated fields into a typed value.

Fields count from left to right, so what depends on the type must stand behind it. Only `from` is read before
the stage is converted, because it decides which stages are needed. The messages are BuildKit's own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from builder.graph.mounts import Sharing
from builder.system.quoting import quote
from frontend.dockerfile.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Kind = Literal["bind", "cache", "tmpfs", "secret", "ssh"]

_KINDS: Final = ("bind", "cache", "tmpfs", "secret", "ssh")
_SHARING: Final = ("shared", "private", "locked")
_WITH_OWNER: Final = ("cache", "secret", "ssh")
_OPTIONAL: Final = ("secret", "ssh")
_READ_ONLY: Final = ("bind", "secret", "ssh")
_BOOLEANS: Final = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_SPELLINGS: Final = {
    "src": "source",
    "dst": "target",
    "destination": "target",
    "readonly": "ro",
    "readwrite": "rw",
}
_KEYS: Final = (
    "type", "from", "source", "target", "ro", "rw", "required", "size", "id", "sharing", "mode", "uid", "gid",
    "env", *_SPELLINGS,
)  # fmt: skip
_FIELD: Final = r'"(?:[^"]|"")*"(?=,|\Z)|[^,"][^,]*|(?=,|\Z)'
_SIZE: Final = r"(?ai)(\d{1,18}(?:\.\d{1,9})?) ?(?:([kmgtp])i?)?b?"
_UNITS: Final = {unit: 1024**power for power, unit in enumerate(("", "k", "m", "g", "t", "p"))}
_MAX_NUMBER: Final = 2**32 - 1
_MAX_SIZE: Final = 2**63 - 1


class InvalidMount(Exception):
    """A mount that cannot be read."""


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a mount, as written otherwise; what was not given is empty or None."""

    type: Kind = "bind"
    source_stage: str = ""
    source: str = ""
    target: str = ""
    read_only: bool | None = None
    required: bool = False
    size: int = 0
    id: str = ""
    sharing: Sharing | None = None
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    env: str = ""

    @property
    def is_read_only(self) -> bool:
        """As it was given, or as the type has it."""
        return self.type in _READ_ONLY if self.read_only is None else self.read_only


def mount_source(text: str) -> str:
    """The value of `from`, empty without one; also of a mount whose fields are otherwise wrong.

    Raises: InvalidMount for text that is no record, and for a variable, which `from` does not know.
    """
    source = ""
    for field in _split(text):
        key, equals, value = field.partition("=")
        if equals and key.lower() == "from":
            if re.search(r"\$.", value, re.DOTALL):
                raise InvalidMount("'from' doesn't support variable expansion, define alias stage instead")
            source = value
    return source


def read_mount(text: str, expand: Callable[[str], str]) -> Mount:
    """The mount that `text` describes; `expand` gives the value of a word. Raises: InvalidMount."""
    mount = Mount()
    for field in _split(text):
        mount = _with_field(mount, field, expand)
    _check(mount)
    return mount


def _split(text: str) -> list[str]:
    if not text:
        raise InvalidMount("failed to parse csv mounts: EOF")
    pattern = re.compile(_FIELD)
    fields: list[str] = []
    position = 0
    while position <= len(text):
        matched = pattern.match(text, position)
        if matched is None:
            raise InvalidMount(f"failed to parse csv mounts: a quote in {quote(text)} does not end the field")
        field = matched[0]
        fields.append(field[1:-1].replace('""', '"') if field.startswith('"') else field)
        position = matched.end() + 1
    return fields


def _with_field(mount: Mount, field: str, expand: Callable[[str], str]) -> Mount:
    written, equals, value = field.partition("=")
    written = written.lower()
    key = _SPELLINGS.get(written, written)
    if not equals:
        return _with_switch(mount, key, field)
    value = value if key == "from" else expand(value)
    match key:
        case "type":
            return _with(mount, type=_one_of(value, _KINDS, "unsupported mount type"))
        case "from":
            return _with(mount, source_stage=value)
        case "source" | "target" | "id" | "env":
            return _with(mount, **{key: value})
        case "ro" | "rw":
            return _with(mount, read_only=_boolean(written, value) == (key == "ro"))
        case "required":
            _require_type(mount, key, _OPTIONAL)
            return _with(mount, required=_boolean(written, value))
        case "size":
            _require_type(mount, key, ("tmpfs",))
            return _with(mount, size=_size(value))
        case "sharing":
            return _with(mount, sharing=_one_of(value, _SHARING, "unsupported sharing value"))
        case "mode" | "uid" | "gid":
            return _with(mount, **{key: _number(key, value)})
    raise InvalidMount(f"unexpected key '{written}' in '{field}'{did_you_mean(written, _KEYS)}")


def _with_switch(mount: Mount, key: str, field: str) -> Mount:
    """A key without a value."""
    if key in ("ro", "rw"):
        return _with(mount, read_only=key == "ro")
    if key == "required":
        _require_type(mount, key, _OPTIONAL)
        return _with(mount, required=True)
    raise InvalidMount(f"invalid field '{field}' must be a key=value pair")


def _with(mount: Mount, **members: object) -> Mount:
    return msgspec.structs.replace(mount, **members)


def _require_type(mount: Mount, key: str, types: tuple[str, ...]) -> None:
    if mount.type not in types:
        raise InvalidMount(f"unexpected key '{key}' for mount type '{mount.type}'")


def _one_of(value: str, known: tuple[str, ...], problem: str) -> str:
    if value.lower() not in known:
        raise InvalidMount(f"{problem} {quote(value)}{did_you_mean(value, known)}")
    return value.lower()


def _boolean(key: str, value: str) -> bool:
    if value not in _BOOLEANS:
        raise InvalidMount(f"invalid value for {key}: {value}")
    return _BOOLEANS[value]


def _number(key: str, value: str) -> int:
    digits, base = ("01234567", 8) if key == "mode" else ("0123456789", 10)
    if not value or len(value) > 32 or value.strip(digits) or int(value, base) > _MAX_NUMBER:
        raise InvalidMount(f"invalid value {value} for {key}")
    return int(value, base)


def _size(value: str) -> int:
    matched = re.fullmatch(_SIZE, value)
    size = int(float(matched[1]) * _UNITS[(matched[2] or "").lower()]) if matched else -1
    if not 0 <= size <= _MAX_SIZE:
        raise InvalidMount(f"invalid value for size: {value}")
    return size


def _check(mount: Mount) -> None:
    """Raises: InvalidMount for fields that do not belong together."""
    given: Mapping[str, int | None] = {"mode": mount.mode, "uid": mount.uid, "gid": mount.gid}
    if mount.type not in _WITH_OWNER:
        for key, value in given.items():
            if value is not None:
                raise InvalidMount(f'{key} not allowed for "{mount.type}" type mounts')
    if mount.type == "secret":
        _check_secret(mount)
    elif mount.type == "ssh" and mount.source:
        raise InvalidMount("ssh does not support source")
    elif mount.sharing is not None and mount.type != "cache":
        raise InvalidMount(f"invalid cache sharing set for {mount.type} mount")


def _check_secret(mount: Mount) -> None:
    if mount.source_stage:
        raise InvalidMount("secret mount should not have a from")
    if mount.sharing is not None:
        raise InvalidMount("secret mount should not define sharing")
    if not (mount.source or mount.target or mount.id):
        raise InvalidMount("invalid secret mount. one of source, target required")
    if mount.source and mount.id:
        raise InvalidMount("both source and id can't be set")
