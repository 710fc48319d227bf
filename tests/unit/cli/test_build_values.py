"""Values of build flags."""

from __future__ import annotations

import pytest

from builder.cli import build_values as values
from builder.system.errors import UsageError
from builder.system.quantities import parse_size


def test_a_build_argument_without_value_comes_from_the_environment() -> None:
    arguments = values.build_arguments(["A=1", "B", "C", "D="], {"B": "from outside"})

    assert arguments == {"A": "1", "B": "from outside", "D": ""}


def test_source_date_epoch_of_the_environment_is_an_argument_unless_given() -> None:
    environ = {"SOURCE_DATE_EPOCH": "5"}

    assert values.build_arguments([], environ) == {"SOURCE_DATE_EPOCH": "5"}
    assert values.build_arguments(["SOURCE_DATE_EPOCH=7"], environ) == {"SOURCE_DATE_EPOCH": "7"}


def test_a_label_without_value_is_empty_and_keeps_later_equal_signs() -> None:
    assert values.assignments("--label", ["a", "b=c=d"]) == {"a": "", "b": "c=d"}


@pytest.mark.parametrize(
    ("word", "pair"),
    [
        ("db:10.0.0.1", ("db", "10.0.0.1")),
        ("db=10.0.0.1", ("db", "10.0.0.1")),
        ("six:::1", ("six", "::1")),
        ("six=[::1]", ("six", "::1")),
    ],
)
def test_a_host_is_separated_from_its_address_by_colon_or_equal_sign(
    word: str, pair: tuple[str, str]
) -> None:
    assert values.extra_hosts([word]) == (pair,)


@pytest.mark.parametrize(
    ("word", "count"),
    [("0", 0), ("4096", 4096), ("64m", 64 << 20), ("64MB", 64 << 20), ("1.5GiB", 3 << 29), ("2 k", 2048)],
)
def test_sizes_are_in_powers_of_1024_whatever_the_spelling(word: str, count: int) -> None:
    assert parse_size("--shm-size", word) == count


@pytest.mark.parametrize(
    ("word", "limit"),
    [
        ("nofile=1024", ("nofile", 1024, 1024)),
        ("nofile=1:2", ("nofile", 1, 2)),
        ("core=0:-1", ("core", 0, -1)),
    ],
)
def test_a_resource_limit_without_hard_value_uses_the_soft_one(
    word: str, limit: tuple[str, int, int]
) -> None:
    assert values.ulimits([word]) == (limit,)


def test_lists_may_be_repeated_and_separated_by_commas() -> None:
    assert values.comma_separated(["a, b", "", "c"]) == ("a", "b", "c")


@pytest.mark.parametrize(
    ("context", "given", "expected"),
    [
        ("git@host:r.git", (), ("default",)),
        ("ssh://git@host/r.git", ("other",), ("other", "default")),
        ("git@host:r.git", ("default=/s",), ("default=/s",)),
        ("https://host/r.git", (), ()),
        (".", (), ()),
    ],
)
def test_a_context_that_needs_an_agent_gets_the_default_one(
    context: str, given: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert values.agent_words(given, context, {"SSH_AUTH_SOCK": "/s"}) == expected
    assert values.agent_words(given, context, {}) == given


@pytest.mark.parametrize(
    "call",
    [
        lambda: values.build_arguments(["=x"], {}),
        lambda: values.build_contexts(["name"]),
        lambda: values.extra_hosts(["db"]),
        lambda: values.extra_hosts(["db:nowhere"]),
        lambda: values.extra_hosts([":10.0.0.1"]),
        lambda: values.extra_hosts(["db:host-gateway"]),
        lambda: parse_size("--shm-size", "big"),
        lambda: parse_size("--shm-size", "-1"),
        lambda: values.ulimits(["nofile"]),
        lambda: values.ulimits(["nofile=5:4"]),
        lambda: values.ulimits(["nofile=-1:4"]),
        lambda: values.network("bridge"),
        lambda: values.entitlements(["device"]),
    ],
)
def test_a_word_that_means_nothing_is_wrong_usage(call: object) -> None:
    assert callable(call)
    with pytest.raises(UsageError):
        call()
