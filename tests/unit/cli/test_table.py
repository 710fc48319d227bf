"""Tables and ages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from builder.cli.table import age, format_table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert format_table(["NAME", "TAG"], [["hello-world", "1"], ["a", "latest"]]) == (
        "NAME          TAG\n"
        "hello-world   1\n"
        "a             latest\n"
    )  # fmt: skip


def test_a_cell_cannot_break_out_of_its_row() -> None:
    assert format_table(["NAME"], [["a\nb\x1b[2J"]]) == "NAME\na b\n"


@pytest.mark.parametrize(
    ("elapsed", "text"),
    [
        (timedelta(seconds=-5), "0 seconds ago"),
        (timedelta(seconds=1), "1 second ago"),
        (timedelta(minutes=59), "59 minutes ago"),
        (timedelta(hours=47), "47 hours ago"),
        (timedelta(days=3), "3 days ago"),
        (timedelta(days=20), "2 weeks ago"),
        (timedelta(days=90), "3 months ago"),
        (timedelta(days=800), "2 years ago"),
    ],
)
def test_an_age_is_told_in_its_largest_fitting_unit(elapsed: timedelta, text: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)

    assert age(now - elapsed, now) == text
