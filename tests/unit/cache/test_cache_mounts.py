"""Directories of cache mounts: their names, and who has them at one time."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import msgspec
import pytest

from builder.cache.keys import EMPTY, exec_key
from builder.cache.mounts import CacheMounts, MountUse, cache_name, mount_platform
from builder.cache.mounttable import SCHEMA, MountTable
from builder.graph import BindMount, CacheMount, Exec
from builder.oci.digest import Digest
from builder.platforms import Platform
from builder.store.database import Database
from builder.system.locks import KeyLocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOUNT = CacheMount(id="/c", target="/c")
USE = MountUse(name="name", description="cached mount")
ARM = Platform("linux", "arm64")
RUN = Exec(base=None, args=("x",), platform=Platform("linux", "amd64"))


@pytest.fixture
def table(tmp_path: Path) -> Iterator[MountTable]:
    database = Database(tmp_path / "dockyard.db", (SCHEMA,))
    yield MountTable(database)
    database.close()


@pytest.fixture
def caches(tmp_path: Path, table: MountTable) -> CacheMounts:
    return CacheMounts(tmp_path / "caches", table, KeyLocks(tmp_path / "locks"), threading.Event())


def used(caches: CacheMounts, tmp_path: Path, mount: CacheMount) -> Path:
    """The directory that a user of `mount` gets while nobody else has one."""
    with caches.use(mount, USE, lambda: made(tmp_path), on_wait=lambda: None) as path:
        return path


def made(tmp_path: Path) -> Path:
    path = tmp_path / "new"
    path.mkdir()
    return path


def test_a_cache_is_made_once_and_found_again(caches: CacheMounts, tmp_path: Path) -> None:
    (used(caches, tmp_path, MOUNT) / "kept").touch()
    assert (used(caches, tmp_path, MOUNT) / "kept").exists()


def test_a_second_user_of_a_private_cache_gets_another(caches: CacheMounts, tmp_path: Path) -> None:
    private = msgspec.structs.replace(MOUNT, sharing="private")
    with caches.use(private, USE, lambda: made(tmp_path), on_wait=lambda: None) as first:
        assert used(caches, tmp_path, private) != first
    assert used(caches, tmp_path, private) == first


@pytest.mark.parametrize("changed", [{"id": "/d"}, {"uid": 1}, {"gid": 1}, {"mode": 0o700}])
def test_caches_that_begin_differently_have_different_names(changed: dict[str, object]) -> None:
    assert cache_name(msgspec.structs.replace(MOUNT, **changed), None) != cache_name(MOUNT, None)
    assert cache_name(MOUNT, EMPTY) != cache_name(MOUNT, None)


def test_where_a_mount_comes_from_is_no_part_of_a_key() -> None:
    content = Digest.of(b"content")
    one, other = (
        msgspec.structs.replace(RUN, mounts=(BindMount(input=0, target="/t", source=source),))
        for source in ("/a", "/b")
    )
    assert exec_key(one, EMPTY, content) == exec_key(other, EMPTY, content)
    assert exec_key(one, EMPTY, content) != exec_key(one, EMPTY, Digest.of(b"other"))


def test_which_cache_is_used_is_no_part_of_a_key() -> None:
    one, other = (
        msgspec.structs.replace(MOUNT, id=name, sharing=how)
        for name, how in (("a", "shared"), ("b", "locked"))
    )
    keys = {exec_key(msgspec.structs.replace(RUN, mounts=(each,)), EMPTY) for each in (one, other)}
    assert len(keys) == 1


def test_a_cache_is_listed_with_its_size_and_its_uses(caches: CacheMounts, tmp_path: Path) -> None:
    used(caches, tmp_path, MOUNT)
    (used(caches, tmp_path, MOUNT) / "file").write_bytes(bytes(100_000))

    (row,) = caches.all()

    assert (row.id, row.uses, row.description) == ("/c", 2, "cached mount")
    assert 100_000 <= (row.size or 0) < 120_000


def test_a_size_is_measured_anew_after_each_use(caches: CacheMounts, tmp_path: Path) -> None:
    used(caches, tmp_path, MOUNT)
    empty = caches.all()[0].size
    (used(caches, tmp_path, MOUNT) / "file").write_bytes(bytes(100_000))
    assert (caches.all()[0].size or 0) > (empty or 0)


def test_a_cache_in_use_is_not_removed(caches: CacheMounts, tmp_path: Path) -> None:
    with (
        caches.use(MOUNT, USE, lambda: made(tmp_path), on_wait=lambda: None) as path,
        caches.remove("name") as removed,
    ):
        assert not removed
        assert path.is_dir()


def test_a_removed_cache_is_gone_with_its_row(caches: CacheMounts, tmp_path: Path) -> None:
    path = used(caches, tmp_path, MOUNT)
    with caches.remove("name") as removed:
        assert removed
    assert not path.exists()
    assert caches.all() == ()


def test_a_cache_without_a_row_is_listed_all_the_same(
    caches: CacheMounts, table: MountTable, tmp_path: Path
) -> None:
    used(caches, tmp_path, MOUNT)
    table.delete(["name"])
    assert [row.name for row in caches.all()] == ["name"]


def test_what_a_killed_removal_left_is_removed_and_not_listed(caches: CacheMounts, tmp_path: Path) -> None:
    path = used(caches, tmp_path, MOUNT)
    path.rename(path.with_name(".removed-name"))
    assert caches.all() == ()
    assert list(path.parent.iterdir()) == []


def test_who_only_looks_gets_a_cache_of_that_moment_and_leaves_none(
    caches: CacheMounts, tmp_path: Path
) -> None:
    with caches.look(MOUNT, USE, lambda: made(tmp_path), on_wait=lambda: None) as path:
        assert path == tmp_path / "new"
    assert caches.all() == ()


@pytest.mark.parametrize(
    ("id_", "target", "platform"),
    [
        ("//c", "/c", "linux/arm64"),
        ("ns//root/.cache", "/root/.cache", "linux/arm64"),
        ("//cache", "/app/cache", "linux/arm64"),
        ("/named", "/c", ""),
        ("//elsewhere", "/c", ""),
    ],
)
def test_platforms_share_the_caches_that_have_a_name_of_their_own(
    id_: str, target: str, platform: str
) -> None:
    assert mount_platform(CacheMount(id=id_, target=target), ARM, "id") == platform


def test_platforms_share_all_caches_or_none_when_somebody_says_so() -> None:
    named, unnamed = CacheMount(id="/named", target="/c"), CacheMount(id="//c", target="/c")
    assert mount_platform(named, ARM, "platform") == "linux/arm64"
    assert mount_platform(unnamed, ARM, "shared") == ""


def test_a_cache_that_grew_too_large_loses_its_oldest_files_before_its_next_use(
    table: MountTable, tmp_path: Path
) -> None:
    locks = KeyLocks(tmp_path / "locks")
    caches = CacheMounts(tmp_path / "caches", table, locks, threading.Event(), largest=150_000)
    outside = tmp_path / "outside"
    outside.write_bytes(bytes(100_000))
    path = used(caches, tmp_path, MOUNT)
    (path / "kept").mkdir()
    for age, name in ((3, "old"), (2, "kept/middle"), (1, "new")):
        (path / name).write_bytes(bytes(100_000))
        os.utime(path / name, (1e9 - age, 1e9 - age))
    (path / "link").symlink_to(outside)

    used(caches, tmp_path, MOUNT)

    assert sorted(entry.name for entry in path.iterdir()) == ["kept", "link", "new"]
    assert outside.exists()
