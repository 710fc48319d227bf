"""Locks between processes: one owner for each key, and none outlives its process."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from builder.system.errors import Cancelled
from builder.system.locks import KeyLocks

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def locks(tmp_path: Path) -> KeyLocks:
    return KeyLocks(tmp_path / "locks")


def cancelled_event() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


def test_a_held_key_makes_another_thread_wait_and_say_so(locks: KeyLocks) -> None:
    waiting, order = threading.Event(), []

    def second() -> None:
        with locks.hold("k", cancelled=threading.Event(), on_wait=waiting.set):
            order.append("second")

    with locks.hold("k", cancelled=threading.Event()):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(10)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_different_keys_do_not_wait_for_each_other(locks: KeyLocks) -> None:
    with locks.hold("a", cancelled=cancelled_event()), locks.hold("b", cancelled=cancelled_event()):
        pass


def test_waiting_ends_when_the_work_is_cancelled(locks: KeyLocks) -> None:
    with (
        locks.hold("k", cancelled=threading.Event()),
        pytest.raises(Cancelled),
        locks.hold("k", cancelled=cancelled_event()),
    ):
        pass


def test_the_lock_of_a_killed_process_is_free_at_once(locks: KeyLocks) -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with locks.hold("k", cancelled=threading.Event()):
            os.write(write, b"x")
            signal.pause()
    os.read(read, 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with locks.hold("k", cancelled=cancelled_event()):
        pass
    os.close(read)
    os.close(write)
