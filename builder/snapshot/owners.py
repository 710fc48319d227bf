"""Who `--chown` names: users and groups of the file system that is copied to.

The account files are the image's and hostile: only a regular file is opened, links are followed inside the image's
root, and no more than a bounded amount is read. A user that is not there is 0, and a group that is not there
leaves the one that the user brings along, as in BuildKit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from builder.snapshot.errors import SnapshotError, UnsafePath
from builder.snapshot.resolve import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.graph.operations import Owner
    from builder.snapshot.resolve import Lookup

_LARGEST_ID: Final = 2**32 - 2
"""The next one means no number at all. Source: chown(2)."""
_HINT: Final = f"use 0 to {_LARGEST_ID}"
_LARGEST_FILE: Final = 4 << 20


class Ids(NamedTuple):
    """Numbers of a user and a group."""

    uid: int
    gid: int


ROOT: Final = Ids(0, 0)


def has_names(owner: Owner | None) -> bool:
    """Whether the account files must be read to know the numbers of `owner`."""
    return owner is not None and (_is_name(owner.user) or _is_name(owner.group))


def find_ids(owner: Owner, view: Lookup) -> Ids:
    """The numbers of `owner` by the account files of `view`.

    Raises: UnsafePath when an account file is not a regular file of reasonable size; SnapshotError for a
    number that no file can have; OSError.
    """
    if _is_name(owner.user):
        user = _find_user(str(owner.user), view)
    else:
        number = _number(owner.user)
        user = Ids(number, number)
    if owner.group is None:
        return user
    if _is_name(owner.group):
        return Ids(user.uid, _find_group(str(owner.group), view, otherwise=user.gid))
    return Ids(user.uid, _number(owner.group))


def _is_name(account: int | str | None) -> bool:
    return isinstance(account, str) and account != "root"


def _number(account: int | str) -> int:
    number = 0 if isinstance(account, str) else account
    if not 0 <= number <= _LARGEST_ID:
        raise SnapshotError(f"{number} is not the number of a user or group", hint=_HINT)
    return number


def _find_user(name: str, view: Lookup) -> Ids:
    for fields in _accounts("etc/passwd", view):
        if fields[0] == name and len(fields) > 3:
            uid, gid = _read_number(fields[2]), _read_number(fields[3])
            if uid is not None and gid is not None:
                return Ids(uid, gid)
    _refuse_number(name)
    return ROOT


def _find_group(name: str, view: Lookup, *, otherwise: int) -> int:
    for fields in _accounts("etc/group", view):
        if fields[0] == name and len(fields) > 2:
            gid = _read_number(fields[2])
            if gid is not None:
                return gid
    _refuse_number(name)
    return otherwise


def _refuse_number(name: str) -> None:
    # 4294967295 was meant as a number; taking it for an unknown name would make it root.
    if name.isdigit():
        raise SnapshotError(f"{name} is not the number of a user or group", hint=_HINT)


def _read_number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    number = int(text)
    return number if number <= _LARGEST_ID else None


def _accounts(path: str, view: Lookup) -> Iterator[list[str]]:
    """The lines of an account file, split into fields; nothing when there is no such file."""
    node = view.lstat(resolve(view, path))
    if node is None:
        return
    if node.entry.kind not in ("file", "hardlink") or node.content is None:
        raise UnsafePath(f"/{path} of the base is not a regular file that can be read")
    with node.content.open() as stream:
        text = stream.read(_LARGEST_FILE + 1)
    if len(text) > _LARGEST_FILE:
        raise UnsafePath(f"/{path} of the base is larger than {_LARGEST_FILE} bytes")
    for line in text.decode("utf-8", "surrogateescape").split("\n"):
        yield line.split(":")
