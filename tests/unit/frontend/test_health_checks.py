"""HEALTHCHECK: what the image says, and durations as Go has them."""

from __future__ import annotations

import pytest
from dockerfiles import history, target
from hypothesis import given
from hypothesis import strategies as st

from builder.oci.config import ContainerConfig, Healthcheck
from frontend.dockerfile.durations import InvalidDuration, format_duration, read_duration

SECOND = 1_000_000_000


def config(text: str) -> ContainerConfig:
    return target(f"FROM busybox\n{text}").config.config


def test_a_check_has_its_command_and_only_the_times_that_were_given() -> None:
    text = "HEALTHCHECK --interval=5s --start-period=1h2m --retries=4 CMD curl x | y"
    assert config(text).healthcheck == Healthcheck(
        test=("CMD-SHELL", "curl x | y"), interval=5 * SECOND, start_period=3720 * SECOND, retries=4
    )


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ('HEALTHCHECK CMD ["a", "b c"]', ("CMD", "a", "b c")),
        ("healthcheck cmd a", ("CMD-SHELL", "a")),
        ("HEALTHCHECK none", ("NONE",)),
        ("HEALTHCHECK\tCMD\ta", ("CMD-SHELL", "a")),
        ("HEALTHCHECK --x --interval=y NONE", ("NONE",)),
        ("HEALTHCHECK CMD a\nHEALTHCHECK NONE", ("NONE",)),
    ],
)
def test_a_check_is_a_process_a_shell_or_none(text: str, test: tuple[str, ...]) -> None:
    check = config(text).healthcheck
    assert check is not None and check.test == test


def test_history_shows_all_members_of_a_check() -> None:
    text = "FROM busybox\nHEALTHCHECK --interval=5s --timeout=1m30s CMD curl x\nHEALTHCHECK NONE"
    assert history(target(text)) == [
        "HEALTHCHECK {Test:[CMD-SHELL curl x] Interval:5s Timeout:1m30s StartPeriod:0s StartInterval:0s Retries:0}",
        "HEALTHCHECK {Test:[NONE] Interval:0s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}",
    ]


def test_variables_of_a_check_are_for_its_shell() -> None:
    check = config("ENV A=1\nHEALTHCHECK CMD echo $A").healthcheck
    assert check is not None and check.test == ("CMD-SHELL", "echo $A")


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0),
        ("1h2m", 3720 * SECOND),
        ("1.5s", 3 * SECOND // 2),
        (".5s", SECOND // 2),
        ("1.s", SECOND),
        ("-2ms", -2_000_000),
        ("+1us1µs1μs1ns", 3001),
    ],
)
def test_durations_are_read_as_go_reads_them(text: str, nanoseconds: int) -> None:
    assert read_duration(text) == nanoseconds


@pytest.mark.parametrize("text", ["", "-", ".", "s", "1", "1x", "1s ", "9" * 5000 + "h", "9223372037s"])
def test_what_go_takes_for_no_duration_is_none_here(text: str) -> None:
    with pytest.raises(InvalidDuration):
        read_duration(text)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1500, "1.5µs"),
        (7, "7ns"),
        (-1_500_000, "-1.5ms"),
        (3600 * SECOND, "1h0m0s"),
        (90 * SECOND, "1m30s"),
    ],
)
def test_durations_are_written_as_go_writes_them(nanoseconds: int, text: str) -> None:
    assert format_duration(nanoseconds) == text


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_every_duration_that_is_written_is_read_again(nanoseconds: int) -> None:
    assert read_duration(format_duration(nanoseconds)) == nanoseconds
