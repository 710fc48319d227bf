"""Filters over what the cache holds, in containerd's syntax."""

from __future__ import annotations

import pytest

from builder.cache.entries import CacheEntry
from builder.cache.filters import any_of
from builder.system.errors import UsageError

ENTRY = CacheEntry(
    id="17", kind="regular", description='RUN apt-get, "x"', parents=("3",), created_at=0, size=9, kept=1
)


@pytest.mark.parametrize(
    "text",
    [
        "id==17",
        "type!=internal",
        "description~=^RUN apt",
        'description=="RUN apt-get, \\"x\\""',
        "type==regular,shared",
        "immutable,parents==3",
        "parents",
        "inuse==false",
    ],
)
def test_a_filter_finds_what_all_its_conditions_say(text: str) -> None:
    assert any_of([text])(ENTRY)


@pytest.mark.parametrize("text", ["id==1", "type==regular,mutable", "private", "inuse", "shared==false"])
def test_a_filter_leaves_out_what_one_condition_denies(text: str) -> None:
    assert not any_of([text])(ENTRY)


def test_one_of_several_filters_is_enough_and_none_finds_everything() -> None:
    assert any_of(["id==1", "id==17"])(ENTRY)
    assert any_of([])(ENTRY)


@pytest.mark.parametrize("text", ["", "colour==red", "description~=(", "==x", "type==a,,", "mutable==maybe"])
def test_a_filter_that_cannot_be_read_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError):
        any_of([text])
