"""Directories of cache mounts: their names, and who has them at one time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec
import pytest

from builder.cache.keys import EMPTY, exec_key
from builder.cache.mounts import CacheMounts, cache_name
from builder.graph import BindMount, CacheMount, Exec
from builder.oci.digest import Digest
from builder.platforms import Platform
from builder.system.locks import KeyLocks

if TYPE_CHECKING:
    from pathlib import Path

MOUNT = CacheMount(id="/c", target="/c")
RUN = Exec(base=None, args=("x",), platform=Platform("linux", "amd64"))


@pytest.fixture
def caches(tmp_path: Path) -> CacheMounts:
    return CacheMounts(tmp_path / "caches", KeyLocks(tmp_path / "locks"), threading.Event())


def used(caches: CacheMounts, tmp_path: Path, mount: CacheMount) -> Path:
    """The directory that a user of `mount` gets while nobody else has one."""
    with caches.use(mount, "name", lambda: made(tmp_path), on_wait=lambda: None) as path:
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
    with caches.use(private, "name", lambda: made(tmp_path), on_wait=lambda: None) as first:
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
