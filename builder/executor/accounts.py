"""Users and groups, as the image's own /etc/passwd and /etc/group define them.

Both files are hostile: they may be links, pipes, devices, endless, or name numbers that wrap around to root
(CVE-2024-40635, CVE-2024-9676, GHSA-72x6-4j93-7w86). So they are opened inside the root only, must be
regular, are read within bounds, and a number outside 0..2^31-1 is never used.
Source: dockerfile.md's USER as BuildKit executes it; passwd(5), group(5).
"""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from builder.executor.errors import ExecutorError
from builder.system.linux import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_ID: Final = 2**31 - 1
_MAX_FILE: Final = 16 << 20
_MAX_LINE: Final = 1 << 20
_NUMBER: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)


class Account(NamedTuple):
    """Who a process runs as; `groups` are the supplementary ones, `home` an absolute path."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


class _User(NamedTuple):
    name: str
    uid: int
    gid: int
    home: str


def find_account(root: int, spelled: str) -> Account:
    """The account that `spelled` (`user[:group]`, by name or number, may be empty) means in the image `root`.

    `root` is a descriptor of the image's top directory. A number needs no entry; its group is then 0. Naming
    a group leaves no other group. Empty means user 0, whatever the state of the files.
    Raises: ExecutorError for a name without an entry and for a number out of range.
    """
    if not spelled:
        try:
            return _lookup(root, "0", "")
        except ExecutorError:
            return Account(0, 0, (), "/")
    user, _, group = spelled.partition(":")
    return _lookup(root, user or "0", group)


def _lookup(root: int, name: str, group: str) -> Account:
    number = _number(name)
    user = _find_user(root, name, number)
    if user is None:
        if number is None:
            raise ExecutorError(
                f"unable to find user {name}: no matching entries in passwd file",
                hint="create the user in an earlier RUN, or use a number",
            )
        user = _User("", _in_range(number), 0, "/")
    home = user.home if user.home.startswith("/") else "/"
    if group:
        return Account(user.uid, _find_group(root, group), (), home)
    return Account(user.uid, user.gid, _memberships(root, user.name), home)


def _find_user(root: int, name: str, number: int | None) -> _User | None:
    for fields in _entries(root, "/etc/passwd", count=7):
        if number is None and fields[0] == name:
            return _User(name, _required(fields[2]), _required(fields[3]), fields[5])
        if number is not None and _number(fields[2]) == number:
            return _User(fields[0], _in_range(number), _required(fields[3]), fields[5])
    return None


def _find_group(root: int, name: str) -> int:
    number = _number(name)
    if number is not None:
        return _in_range(number)
    for fields in _entries(root, "/etc/group", count=4):
        if fields[0] == name:
            return _required(fields[2])
    raise ExecutorError(
        f"unable to find group {name}: no matching entries in group file",
        hint="create the group in an earlier RUN, or use a number",
    )


def _memberships(root: int, user: str) -> tuple[int, ...]:
    if not user:
        return ()
    groups = (
        _required(fields[2])
        for fields in _entries(root, "/etc/group", count=4)
        if user in fields[3].split(",")
    )
    return tuple(dict.fromkeys(groups))


def _entries(root: int, path: str, *, count: int) -> Iterator[list[str]]:
    """The lines of an account file split into `count` fields; shorter lines are filled up with empty ones."""
    for line in _lines(root, path):
        text = line.decode("utf-8", "surrogateescape").strip()
        if text and not text.startswith("#"):
            fields = text.split(":")
            yield fields + [""] * (count - len(fields))


def _lines(root: int, path: str) -> Iterator[bytes]:
    try:
        handle = open_regular(root, path)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return
        raise ExecutorError(f"cannot read the image's {path}: {error.strerror}") from error
    with os.fdopen(handle, "rb") as file:
        if os.fstat(file.fileno()).st_size > _MAX_FILE:
            raise ExecutorError(f"the image's {path} is larger than {_MAX_FILE} bytes")
        while line := file.readline(_MAX_LINE + 1):
            if len(line) > _MAX_LINE:
                raise ExecutorError(f"the image's {path} has a line of more than {_MAX_LINE} bytes")
            yield line


def _number(text: str) -> int | None:
    # Longer digits are no number that any file could mean, and int() of megabytes is not free.
    return int(text) if len(text) <= 20 and _NUMBER.fullmatch(text) else None


def _required(text: str) -> int:
    number = _number(text)
    if number is None:
        raise ExecutorError(f"an entry of the image's account files has {text[:40]!r} where a number belongs")
    return _in_range(number)


def _in_range(number: int) -> int:
    if not 0 <= number <= _MAX_ID:
        raise ExecutorError(f"uids and gids must be in range 0-{_MAX_ID}, not {number}")
    return number
