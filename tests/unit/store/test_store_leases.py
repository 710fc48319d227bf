"""Leases: they live as long as their process, or until their time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from builder.store.leases import EXPIRE, Leases
from builder.store.selection import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from builder.store.embedded import EmbeddedStore

OWNER = """
import sys, pathlib
from builder.store.selection import open_store
store = open_store(pathlib.Path(sys.argv[1]))
with store.lease() as lease, lease.content.ingest("blob") as ingest:
    lease.content.put(b"kept while I live")
    ingest.write(b"never finished" * 100000)
    print(lease.id, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def leases(store: EmbeddedStore) -> Leases:
    return Leases(store.root, store.database)


def start_owner(root: Path) -> tuple[subprocess.Popen[str], str]:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    return owner, owner.stdout.readline().strip()


def kill(owner: subprocess.Popen[str]) -> None:
    owner.send_signal(signal.SIGKILL)
    owner.communicate()


def test_a_lease_ends_with_its_block_and_leaves_nothing(store: EmbeddedStore, leases: Leases) -> None:
    with store.lease({"key": "value"}) as lease:
        assert [(row.id, row.labels) for row in leases.all()] == [(lease.id, {"key": "value"})]
        assert leases.alive(lease.id)
    assert leases.all() == ()
    assert os.listdir(store.root.leases) == []


def test_a_living_lease_is_not_ended_by_others(store: EmbeddedStore, leases: Leases) -> None:
    with store.lease() as lease:
        assert leases.end_dead() == 0
        assert leases.alive(lease.id)


def test_a_lease_of_another_living_process_is_alive(store: EmbeddedStore, leases: Leases) -> None:
    owner, lease = start_owner(store.root.path)
    try:
        assert leases.alive(lease)
        assert leases.end_dead() == 0
    finally:
        kill(owner)


def test_a_killed_process_loses_its_lease_and_its_unfinished_blob(store: EmbeddedStore) -> None:
    owner, _ = start_owner(store.root.path)
    kill(owner)
    assert os.listdir(store.root.ingests)
    open_store(store.root.path).close()
    assert os.listdir(store.root.ingests) == []
    assert os.listdir(store.root.leases) == []
    assert Leases(store.root, store.database).all() == ()


def test_a_lease_without_owner_lives_until_its_time(leases: Leases) -> None:
    past = leases.create("default", {EXPIRE: "2001-01-01T00:00:00Z"})
    future = leases.create("default", {EXPIRE: "2999-01-01T00:00:00Z"})
    endless = leases.create("default", {})
    assert leases.end_dead() == 1
    assert {row.id for row in leases.all()} == {future, endless}
    assert past not in {row.id for row in leases.all()}


def test_a_lease_whose_time_cannot_be_read_is_over(leases: Leases) -> None:
    leases.create("default", {EXPIRE: "tomorrow"})
    leases.end_dead()
    assert leases.all() == ()


def test_a_lock_file_without_a_lease_is_taken_away(store: EmbeddedStore, leases: Leases) -> None:
    (store.root.leases / "0123.lock").touch()
    leases.end_dead()
    assert os.listdir(store.root.leases) == []


def test_a_new_lease_is_never_taken_for_a_dead_one(store: EmbeddedStore) -> None:
    def hold(_: int) -> bool:
        with store.lease() as lease:
            return lease.content.put(b"kept") is not None

    with ThreadPoolExecutor(4) as pool:
        held = [pool.submit(hold, number) for number in range(60)]
        ended = [pool.submit(Leases(store.root, store.database).end_dead) for _ in range(60)]
    assert all(each.result() for each in held)
    assert sum(each.result() for each in ended) == 0
