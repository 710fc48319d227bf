"""Owners of leases: a process is dead only when that is certain."""

from __future__ import annotations

import subprocess
import sys

import pytest

from builder.store.containerd.owner import is_dead, this_owner

TELL = "from builder.store.containerd.owner import this_owner; print(this_owner(), flush=True); input()"


def test_this_process_is_alive() -> None:
    assert not is_dead(this_owner())


def test_a_process_is_dead_when_it_has_ended() -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", TELL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    owner = other.stdout.readline().strip()
    assert not is_dead(owner)
    other.communicate("\n")
    assert is_dead(owner)


def test_a_number_that_another_process_has_now_is_not_the_owner() -> None:
    place, _, _ = this_owner().rpartition("/")
    assert is_dead(f"{place}/1")


def test_a_process_of_an_earlier_boot_is_dead() -> None:
    _, _, process = this_owner().partition("/")
    assert is_dead(f"00000000-0000-0000-0000-000000000000/{process}")


def test_a_process_that_cannot_be_seen_from_here_counts_as_alive() -> None:
    boot, _, pid, started = this_owner().split("/")
    assert not is_dead(f"{boot}/1/{pid}0/{started}")


@pytest.mark.parametrize("rest", ["", "x", "x/y", "x/y/z"])
def test_what_nobody_can_read_counts_as_alive(rest: str) -> None:
    boot, _, _ = this_owner().partition("/")
    assert not is_dead(f"{boot}/{rest}")
