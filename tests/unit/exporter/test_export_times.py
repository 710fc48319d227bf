"""Times as text, and what is later than what."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import EPOCH, EPOCH_TEXT

from exporter.times import clamped, format_time


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (EPOCH * 10**9, EPOCH_TEXT),
        (EPOCH * 10**9 + 120_000_000, "2023-11-14T22:13:20.12Z"),
        (EPOCH * 10**9 + 1, "2023-11-14T22:13:20.000000001Z"),
    ],
)
def test_a_moment_is_written_as_go_writes_it(nanoseconds: int, text: str) -> None:
    assert format_time(nanoseconds) == text


@given(st.integers(0, 4 * 10**9))
def test_a_written_moment_is_read_as_the_same_moment(seconds: int) -> None:
    assert datetime.fromisoformat(format_time(seconds * 10**9)) == datetime.fromtimestamp(seconds, UTC)


def test_an_offset_counts_when_times_are_compared() -> None:
    assert clamped("2023-11-14T23:13:20+01:00", EPOCH) == "2023-11-14T23:13:20+01:00"
    assert clamped("2023-11-14T22:13:20-01:00", EPOCH) == EPOCH_TEXT


def test_a_time_without_offset_counts_as_utc() -> None:
    assert clamped("2023-11-14T22:13:20", EPOCH) == "2023-11-14T22:13:20"
    assert clamped("2023-11-14T22:13:21", EPOCH) == EPOCH_TEXT


def test_without_an_epoch_nothing_changes() -> None:
    assert clamped(None, None) is None
    assert clamped("whenever", None) == "whenever"
