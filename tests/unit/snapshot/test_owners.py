"""Numbers of users and groups, from account files that may be hostile."""

from __future__ import annotations

import io
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory import directory, file, symlink, view

from builder.graph.operations import Owner
from builder.snapshot.entry import Entry, Node
from builder.snapshot.errors import SnapshotError, UnsafePath
from builder.snapshot.owners import Ids, find_ids, has_names

PASSWD = (
    b"root:x:0:0::/root:/bin/sh\n# comment\nbad\napp:x:10:20::/:\napp:x:11:21::/:\nbig:x:4294967296:1::/:\n"
)
GROUP = b"root:x:0:\nstaff:x:30:app\nb:c:x:40:\n"
ACCOUNTS = view(file("etc/passwd", PASSWD), file("etc/group", GROUP))


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        (Owner(1), (1, 1)),
        (Owner(1, 2), (1, 2)),
        (Owner(0, 2), (0, 2)),
        (Owner("app"), (10, 20)),
        (Owner("app", "staff"), (10, 30)),
        (Owner("app", 7), (10, 7)),
        (Owner(7, "staff"), (7, 30)),
        (Owner("root"), (0, 0)),
        (Owner("app", "root"), (10, 0)),
        (Owner("nobody"), (0, 0)),
        (Owner("nobody", "nogroup"), (0, 0)),
        (Owner("app", "b:c"), (10, 20)),
        (Owner(7, "nogroup"), (7, 7)),
        (Owner("big"), (0, 0)),
    ],
)
def test_owner_has_the_numbers_that_the_accounts_say(owner: Owner, expected: tuple[int, int]) -> None:
    assert find_ids(owner, ACCOUNTS) == expected


def test_names_without_account_files_are_zero() -> None:
    assert find_ids(Owner("app", "staff"), view()) == Ids(0, 0)


def test_account_file_may_be_a_link_inside_the_root() -> None:
    below = view(file("usr/passwd", PASSWD), symlink("etc/passwd", "../../../usr/passwd"))

    assert find_ids(Owner("app"), below) == Ids(10, 20)


@pytest.mark.parametrize("number", [-1, 2**32 - 1, 2**32])
def test_numbers_that_would_wrap_around_are_refused(number: int) -> None:
    with pytest.raises(SnapshotError, match=r"is not the number of a user or group"):
        find_ids(Owner(0, number), view())


def test_number_too_long_to_be_one_is_not_taken_for_a_name() -> None:
    with pytest.raises(SnapshotError, match=r"4294967296 is not the number"):
        find_ids(Owner("4294967296"), ACCOUNTS)


@pytest.mark.parametrize(
    "node", [Node(Entry("etc/passwd", "fifo")), Node(Entry("etc/passwd", "char")), directory("etc/passwd")]
)
def test_account_file_that_is_not_regular_is_never_opened(node: Node) -> None:
    with pytest.raises(UnsafePath, match=r"^/etc/passwd of the base is not a regular file"):
        find_ids(Owner("app"), view(node))


class Endless:
    """A sparse file of any size."""

    identity = ("endless",)

    def open(self) -> BinaryIO:
        class Zeroes(io.RawIOBase):
            def readable(self) -> bool:
                return True

            def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
                return len(buffer)

        return io.BufferedReader(Zeroes())

    def read(self, limit: int) -> bytes:
        return bytes(limit)


def test_account_file_of_any_size_is_read_to_a_limit() -> None:
    below = view(Node(Entry("etc/group", "file", size=1 << 40), Endless()))

    with pytest.raises(UnsafePath, match=r"^/etc/group of the base is larger than"):
        find_ids(Owner(0, "staff"), below)


@given(st.binary(max_size=200))
def test_any_bytes_in_the_account_files_give_numbers(content: bytes) -> None:
    uid, gid = find_ids(Owner("a", "b"), view(file("etc/passwd", content), file("etc/group", content)))

    assert 0 <= uid < 2**32 - 1
    assert 0 <= gid < 2**32 - 1


@pytest.mark.parametrize(
    ("owner", "expected"),
    [(None, False), (Owner(1, 2), False), (Owner("root"), False), (Owner(1, "g"), True)],
)
def test_only_names_need_the_account_files(owner: Owner | None, expected: bool) -> None:
    assert has_names(owner) is expected
