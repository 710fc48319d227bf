"""Values of `--secret` and `--ssh`: where secrets and agents are, checked before any work starts.

A secret is read when a step needs it, and its size is limited. Messages name ids and places, never values.
Source: buildx's reference for both flags.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from builder.cli.later import not_supported
from builder.system.errors import DockyardError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from builder.api.options import Secret

_MAX_SECRET: Final = 500 << 10


def secrets(words: Iterable[str], environ: Mapping[str, str]) -> dict[str, Secret]:
    """`--secret` words: `id=NAME[,src=PATH|,env=VARIABLE][,type=file|env]`. Raises: UsageError."""
    return dict(_secret(word, environ) for word in words)


def _secret(word: str, environ: Mapping[str, str]) -> tuple[str, Secret]:
    fields = _fields(word)
    name, path, variable = (fields.get(key, "") for key in ("id", "src", "env"))
    if fields.get("type") == "env" and not variable:
        path, variable = "", path
    if not name:
        raise UsageError(f"--secret: secret missing ID in {word!r}")
    if not path and not variable:
        # Without either, a variable of that name comes before a file of that name.
        path, variable = ("", name) if name in environ else (name, "")
    if variable:
        return name, environ.get(variable, "").encode("utf-8", "surrogateescape")
    _require_small_file(name, Path(path))
    return name, lambda: _read(name, Path(path))


def _fields(word: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for field in word.split(","):
        key, equals, value = field.partition("=")
        key = {"source": "src"}.get(key.lower(), key.lower())
        if not equals:
            raise UsageError(f"--secret: invalid field {field!r} must be a key=value pair")
        if key not in ("type", "id", "src", "env"):
            raise UsageError(f"--secret: unexpected key {key!r} in {field!r}")
        fields[key] = value
    if fields.get("type", "file") not in ("file", "env"):
        raise UsageError(f"--secret: unsupported secret type {fields['type']!r}")
    return fields


def _require_small_file(name: str, path: Path) -> None:
    try:
        status = path.stat()
    except OSError as error:
        raise UsageError(f"--secret: {name}: cannot read {path}: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"--secret: {name}: {path} is not a file")
    if status.st_size > _MAX_SECRET:
        raise UsageError(f"--secret: {name}: {path} is larger than {_MAX_SECRET} bytes")


def _read(name: str, path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            value = file.read(_MAX_SECRET + 1)
    except OSError as error:
        raise DockyardError(f"secret {name}: cannot read {path}: {error.strerror}") from error
    if len(value) > _MAX_SECRET:
        raise DockyardError(f"secret {name}: {path} is larger than {_MAX_SECRET} bytes")
    return value


def agents(words: Iterable[str], environ: Mapping[str, str]) -> dict[str, Path]:
    """`--ssh` words: `default` or `ID[=SOCKET]`; without a socket that of SSH_AUTH_SOCK. Raises: UsageError."""
    return dict(_agent(word, environ) for word in words)


def _agent(word: str, environ: Mapping[str, str]) -> tuple[str, Path]:
    name, _, place = word.partition("=")
    place = place or environ.get("SSH_AUTH_SOCK", "")
    if not place:
        raise UsageError(
            "--ssh: invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set",
            hint="start an agent: eval $(ssh-agent); ssh-add",
        )
    path = Path(os.path.realpath(place))
    if not path.is_socket():
        if path.is_file():
            raise not_supported(f"--ssh with a key file ({place})", hint="add the key to an agent: ssh-add")
        raise UsageError(f"--ssh: {name or 'default'}: no agent's socket at {place}")
    return name or "default", path
