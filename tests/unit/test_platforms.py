"""Platforms: one spelling for each, whatever people type."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.platforms import (
    InvalidPlatform,
    Platform,
    best_match,
    host_platform,
    parse_platform,
    parse_platforms,
)

AMD64 = Platform("linux", "amd64")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("LINUX/AMD64/V1", "linux/amd64"),
        ("linux/amd64/v2", "linux/amd64/v2"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/9", "linux/arm64/v9"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/arm/6", "linux/arm/v6"),
        ("linux/i386", "linux/386"),
        ("macos/arm64", "darwin/arm64"),
        ("arm64", "linux/arm64"),
        ("linux", "linux/amd64"),
        ("wasi/wasm", "wasi/wasm"),
    ],
)
def test_every_spelling_of_a_platform_parses_to_its_normal_form(text: str, expected: str) -> None:
    assert str(parse_platform(text, host=AMD64)) == expected


@pytest.mark.parametrize("text", ["", "linux/*", "a/b/c/d", "linux/arm 64", "wasi", "linux//v7", "linux/"])
def test_text_that_names_no_platform_is_refused(text: str) -> None:
    with pytest.raises(InvalidPlatform):
        parse_platform(text, host=AMD64)


@given(st.text(alphabet="linuxarmd648/v7_*()", max_size=20))
def test_any_text_is_a_platform_in_normal_form_or_an_error(text: str) -> None:
    try:
        platform = parse_platform(text, host=AMD64)
    except InvalidPlatform:
        return
    assert platform.normalized() == platform


def test_a_list_of_platforms_keeps_its_order_and_drops_what_is_named_twice() -> None:
    found = parse_platforms(["linux/arm64,linux/amd64", "linux/arm64/v8"])
    assert [str(each) for each in found] == ["linux/arm64", "linux/amd64"]


def test_local_stands_for_the_platform_of_this_machine() -> None:
    assert parse_platforms(["local"]) == (host_platform(),)


def test_building_never_falls_back_to_a_compatible_architecture() -> None:
    assert best_match(AMD64, [Platform("linux", "386")]) is None


def test_the_first_of_several_equal_entries_is_chosen() -> None:
    arm = Platform("linux", "arm64", "v8")
    assert best_match(Platform("linux", "arm64"), [AMD64, arm, arm]) == 1
