"""`--chown`, `--chmod` and the user of directories: text into what the graph holds."""

from __future__ import annotations

import re
from typing import Final

from builder.graph import Owner

_NUMBER: Final = r"\+?[0-9]+"
_OCTAL: Final = r"[0-7]{1,32}"
_SYMBOLIC_CLAUSE: Final = r"[ugoa]*(?:[-+=](?:[rwxXst]*|[ugo]))+"
_SYMBOLIC: Final = rf"{_SYMBOLIC_CLAUSE}(?:,{_SYMBOLIC_CLAUSE})*"
_MAX_MODE: Final = 0o7777
_MAX_ID: Final = (1 << 32) - 2


class InvalidOwnership(Exception):
    """Text that is no owner or no mode."""


def read_owner(text: str) -> Owner:
    """The owner that `user[:group]` names; `root` and an empty name are 0.

    Numbers that no file system can hold are refused: read as names they would silently become root.
    Raises: InvalidOwnership.
    """
    user, colon, group = text.partition(":")
    return Owner(_read_id(user), _read_id(group) if colon else None)


def _read_id(text: str) -> int | str:
    if text in ("", "root"):
        return 0
    if not re.fullmatch(_NUMBER, text):
        return text
    if len(text) > len(str(_MAX_ID)) or int(text) > _MAX_ID:
        raise InvalidOwnership(f"invalid user or group id {text}: it should be at most {_MAX_ID}")
    return int(text)


def has_names(owner: Owner | None) -> bool:
    """Whether a passwd or group file is needed to know the numbers."""
    return owner is not None and (isinstance(owner.user, str) or isinstance(owner.group, str))


def read_mode(text: str) -> int | str | None:
    """The mode that `text` sets: a number, or a symbolic change; None when it is empty.

    Raises: InvalidOwnership.
    """
    if not text:
        return None
    if text[0].isdecimal():
        if re.fullmatch(_OCTAL, text) and int(text, 8) <= _MAX_MODE:
            return int(text, 8)
        raise InvalidOwnership(
            f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777"
        )
    if not re.fullmatch(_SYMBOLIC, text):
        raise InvalidOwnership(f"invalid chmod parameter: '{text}': invalid syntax")
    return text
