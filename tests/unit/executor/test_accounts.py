"""Users and groups of an image: who a step runs as, and what hostile account files cannot do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.executor.accounts import Account, find_account
from builder.executor.errors import ExecutorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Find = Callable[[str], Account]

PASSWD = """\
root:x:0:0:root:/root:/bin/sh
# a comment
www-data:x:33:34:www:/var/www:/usr/sbin/nologin
nohome:x:40:41
relative:x:42:42::home/x:
"""
GROUP = """\
root:x:0:
web:x:34:
extra:x:99:www-data,other
more:x:100:other,www-data
"""


@pytest.fixture
def image(tmp_path: Path) -> Path:
    etc = tmp_path / "image" / "etc"
    etc.mkdir(parents=True)
    (etc / "passwd").write_text(PASSWD)
    (etc / "group").write_text(GROUP)
    return etc.parent


@pytest.fixture
def find(image: Path) -> Iterator[Find]:
    root = os.open(image, os.O_PATH)
    yield lambda spelled: find_account(root, spelled)
    os.close(root)


@pytest.mark.parametrize(
    ("spelled", "account"),
    [
        ("", Account(0, 0, (), "/root")),
        ("root", Account(0, 0, (), "/root")),
        ("www-data", Account(33, 34, (99, 100), "/var/www")),
        ("33", Account(33, 34, (99, 100), "/var/www")),
        ("www-data:web", Account(33, 34, (), "/var/www")),
        ("www-data:5", Account(33, 5, (), "/var/www")),
        ("1000", Account(1000, 0, (), "/")),
        ("1000:1001", Account(1000, 1001, (), "/")),
        ("1000:extra", Account(1000, 99, (), "/")),
        ("0033", Account(33, 34, (99, 100), "/var/www")),
        (":web", Account(0, 34, (), "/root")),
        ("2147483647", Account(2147483647, 0, (), "/")),
        ("nohome", Account(40, 41, (), "/")),
        ("relative", Account(42, 42, (), "/")),
    ],
)
def test_a_user_is_looked_up_as_dockerfiles_mean_it(find: Find, spelled: str, account: Account) -> None:
    assert find(spelled) == account


@pytest.mark.parametrize("spelled", ["2147483648", "4294967295", "4294967296", "-1", "1:2147483648", "1:-1"])
def test_a_number_beyond_the_range_of_ids_is_refused(find: Find, spelled: str) -> None:
    with pytest.raises(ExecutorError, match="uids and gids must be in range 0-2147483647"):
        find(spelled)


@pytest.mark.parametrize(
    "entry",
    ["evil:x:4294967296:0::/:", "evil:x:-1:0::/:", "evil:x:5:4294967296::/:", "evil:x:five:0::/:", "evil"],
)
def test_an_entry_without_a_proper_number_never_becomes_root(image: Path, find: Find, entry: str) -> None:
    (image / "etc/passwd").write_text(f"{entry}\n")
    with pytest.raises(ExecutorError):
        find("evil")


def test_an_unknown_user_is_an_error_that_names_it(find: Find) -> None:
    with pytest.raises(ExecutorError, match="unable to find user ghost: no matching entries in passwd file"):
        find("ghost")


def test_an_unknown_group_is_an_error_that_names_it(find: Find) -> None:
    with pytest.raises(ExecutorError, match="unable to find group ghosts: no matching entries in group file"):
        find("root:ghosts")


def test_an_image_without_account_files_knows_numbers_only(tmp_path: Path) -> None:
    root = os.open(tmp_path, os.O_PATH)
    assert find_account(root, "7:8") == Account(7, 8, (), "/")
    os.close(root)


def test_a_link_is_followed_inside_the_image_only(image: Path, find: Find) -> None:
    (image / "etc/passwd").unlink()
    (image / "etc/passwd").symlink_to("/../../shadow/passwd")
    (image / "shadow").mkdir()
    (image / "shadow/passwd").write_text("inside:x:7:7::/:\n")
    (image.parent / "shadow").mkdir()
    (image.parent / "shadow/passwd").write_text("inside:x:0:0::/:\n")
    assert find("inside").uid == 7


def test_a_pipe_in_place_of_the_file_is_refused_without_waiting(image: Path, find: Find) -> None:
    (image / "etc/passwd").unlink()
    os.mkfifo(image / "etc/passwd")
    with pytest.raises(ExecutorError, match="cannot read the image's /etc/passwd: not a regular file"):
        find("www-data")


def test_an_endless_file_is_refused(image: Path, find: Find) -> None:
    with (image / "etc/passwd").open("r+") as file:
        file.truncate(10 << 30)
    with pytest.raises(ExecutorError, match="larger than"):
        find("www-data")


def test_an_endless_line_is_refused(image: Path, find: Find) -> None:
    (image / "etc/passwd").write_bytes(b"x" * (2 << 20))
    with pytest.raises(ExecutorError, match="line of more than"):
        find("www-data")


def test_the_default_user_is_root_whatever_the_files_are(image: Path, find: Find) -> None:
    (image / "etc/passwd").unlink()
    os.mkfifo(image / "etc/passwd")
    assert find("") == Account(0, 0, (), "/")


def test_a_huge_number_is_a_name_nobody_has(find: Find) -> None:
    with pytest.raises(ExecutorError, match="no matching entries"):
        find("9" * 5000)


@given(passwd=st.binary(max_size=300), spelled=st.text(max_size=12))
def test_any_file_gives_an_account_within_range_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, passwd: bytes, spelled: str
) -> None:
    image = tmp_path_factory.mktemp("image")
    (image / "etc").mkdir()
    (image / "etc/passwd").write_bytes(passwd)
    root = os.open(image, os.O_PATH)
    try:
        account = find_account(root, spelled)
    except ExecutorError:
        return
    finally:
        os.close(root)
    assert 0 <= account.uid < 2**31 and 0 <= account.gid < 2**31 and account.home.startswith("/")
