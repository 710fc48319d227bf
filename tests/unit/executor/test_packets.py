"""What the two sides of the supervisor's sockets say to each other."""

from __future__ import annotations

import fcntl
import os
import socket
from typing import TYPE_CHECKING

import pytest

from builder.executor.errors import ExecutorError
from builder.executor.wire import (
    Order,
    Settings,
    failed,
    memory_file,
    receive_order,
    receive_outcome,
    send_order,
    send_outcome,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    upper, lower = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with upper, lower:
        yield upper, lower


def test_settings_survive_the_command_line() -> None:
    settings = Settings("/trees \udc80", "/run", "crun", "/usr/bin/crun", "/usr/bin/pasta", forward_dns=True)
    assert Settings.decode(settings.encode()) == settings


def test_an_order_arrives_with_its_descriptors_closed_on_exec(ends: Ends) -> None:
    file = memory_file("x", b"content")
    send_order(ends[0], Order(network="none"), [file])
    received = receive_order(ends[1])
    assert received is not None
    order, (arrived,) = received
    assert order == {"network": "none"} and os.pread(arrived, 10, 0) == b"content"
    assert fcntl.fcntl(arrived, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    for descriptor in (file, arrived):
        os.close(descriptor)


def test_the_end_of_the_upper_side_is_the_end_of_orders(ends: Ends) -> None:
    ends[0].close()
    assert receive_order(ends[1]) is None


def test_a_failure_keeps_its_message_and_hint(ends: Ends) -> None:
    send_outcome(ends[1], failed(ExecutorError("what", hint="what to do")))
    outcome = receive_outcome(ends[0])
    assert outcome is not None and (outcome["failure"], outcome["hint"]) == ("what", "what to do")


def test_a_failure_of_any_length_fits_into_a_packet(ends: Ends) -> None:
    send_outcome(ends[1], failed(ExecutorError("\x01" * 1_000_000)))
    outcome = receive_outcome(ends[0])
    assert outcome is not None and outcome["failure"] is not None and outcome["failure"][:2] == "\x01\x01"


def test_a_supervisor_that_went_away_leaves_no_outcome(ends: Ends) -> None:
    ends[1].close()
    assert receive_outcome(ends[0]) is None


def test_an_upper_side_that_went_away_is_no_error_below(ends: Ends) -> None:
    ends[0].close()
    send_outcome(ends[1], failed(OSError("too late")))
