"""The small parts of the protocol: challenges, addresses, waits, error texts."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.registry.addresses import origin, resolve, shown
from builder.registry.challenge import Challenge, parse_challenges
from builder.registry.crew import Crew
from builder.registry.errors import InvalidAnswer, Unauthorized
from builder.registry.limits import Limits, retry_after
from builder.system.errors import Cancelled

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_challenge_is_read_whatever_its_case_and_spaces() -> None:
    header = 'BEARER Realm="https://auth.example/token",service=reg ,  scope="repository:a/b:pull,push"'
    assert parse_challenges(header) == (
        Challenge(
            "bearer",
            {"realm": "https://auth.example/token", "service": "reg", "scope": "repository:a/b:pull,push"},
        ),
    )


def test_several_challenges_in_one_header_are_told_apart() -> None:
    header = 'Negotiate, Basic realm="x", Bearer realm="https://a/t",service="s"'
    assert [(each.scheme, each.parameters.get("realm")) for each in parse_challenges(header)] == [
        ("negotiate", None), ("basic", "x"), ("bearer", "https://a/t"),
    ]  # fmt: skip


def test_a_quoted_value_may_hold_quotes_and_commas() -> None:
    assert parse_challenges(r'Basic realm="a \"b\", c"')[0].parameters == {"realm": 'a "b", c'}


@given(st.text(max_size=200))
def test_any_header_is_read_without_an_error(header: str) -> None:
    assert all(each.scheme for each in parse_challenges(header))


def test_a_wait_is_given_in_seconds_or_as_a_date() -> None:
    date = (NOW + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert (retry_after("7", NOW), retry_after(date, NOW)) == (7.0, 90.0)


@pytest.mark.parametrize("value", ["", "soon", "-5", "1.5", "Mon, 99 Foo 2026", "²"])
def test_a_wait_that_cannot_be_read_is_no_wait(value: str) -> None:
    assert retry_after(value, NOW) is None


def test_waits_grow_up_to_a_bound() -> None:
    limits = Limits(first_wait=0.5, longest_wait=3)
    assert [limits.wait(failures) for failures in range(1, 6)] == [0.5, 1, 2, 3, 3]


def test_an_address_may_be_relative_to_the_request() -> None:
    assert resolve("https://r.example/v2/a/blobs/uploads/", "/v2/x?y=1", sender="r") == (
        "https://r.example/v2/x?y=1"
    )


def test_a_protected_connection_does_not_lead_to_an_unprotected_one() -> None:
    with pytest.raises(InvalidAnswer, match="unprotected"):
        resolve("https://r.example/", "http://r.example/", sender="r")


@given(st.text(max_size=80))
def test_any_address_is_either_resolved_or_refused(text: str) -> None:
    try:
        address = resolve("https://r.example/v2/", text, sender="r")
    except InvalidAnswer:
        return
    assert origin(address)[0] == "https"


def test_a_default_port_makes_no_other_origin() -> None:
    assert origin("https://r.example/a") == origin("https://r.example:443/b")
    assert origin("https://r.example/a") != origin("http://r.example/a")


def test_an_address_is_shown_without_its_secrets() -> None:
    assert shown("https://u:p@s3.example/x?X-Amz-Signature=abc#f") == "https://s3.example/x"


def test_the_first_error_of_a_crew_is_the_one_that_is_raised() -> None:
    crew = Crew(2, threading.Event())
    begun = threading.Event()

    def fail() -> None:
        begun.wait()
        raise Unauthorized("no")

    def go_on() -> None:
        begun.set()
        while True:
            crew.check()

    with pytest.raises(Unauthorized):
        crew.run([fail, go_on])


def test_a_cancelled_crew_begins_nothing_new() -> None:
    cancelled = threading.Event()
    cancelled.set()
    done: list[int] = []

    with pytest.raises(Cancelled):
        Crew(2, cancelled).run([lambda: done.append(1)])
    assert done == []
