"""Orders of versions, patterns and licences: what policies compare with."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.attest.policy.licences import LicenceJudge, UnreadableLicence
from exporter.attest.policy.patterns import Pattern
from exporter.attest.policy.versions import compare, parse_range

# In the order of their age, oldest first.
DEBIAN = [
    "0",
    "1.0~rc1",
    "1.0~rc1+b1",
    "1.0",
    "1.0-1",
    "1.0-1+deb12u1",
    "1.0a",
    "1.0.1",
    "1.2",
    "1.10",
    "1:0.1",
]
PYTHON = ["1.0.dev1", "1.0a1", "1.0rc1", "1.0", "1.0.post1", "1.0.1", "1.10", "1!0.1"]
SEMANTIC = [
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
]


@pytest.mark.parametrize(("kind", "ordered"), [("deb", DEBIAN), ("pypi", PYTHON), ("npm", SEMANTIC)])
def test_every_version_is_older_than_those_behind_it(kind: str, ordered: list[str]) -> None:
    for position, older in enumerate(ordered):
        assert compare(older, older, kind) == 0
        for newer in ordered[position + 1 :]:
            assert compare(older, newer, kind) < 0 < compare(newer, older, kind)


_PARTS = st.text("0123456789ab.+~", min_size=1, max_size=6).map(lambda text: f"1{text}")
_VERSIONS = st.builds(
    "{}{}{}".format, st.sampled_from(["", "0:", "2:"]), _PARTS, st.sampled_from(["", "-1", "-0~a"])
)


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not installed")
@settings(deadline=None, max_examples=60)
@given(_VERSIONS, _VERSIONS)
def test_debian_versions_have_the_order_that_dpkg_gives_them(one: str, other: str) -> None:
    operator = {-1: "lt", 0: "eq", 1: "gt"}[compare(one, other, "deb")]
    subprocess.run(["dpkg", "--compare-versions", one, operator, other], check=True)


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12), st.sampled_from(["deb", "apk", ""]))
def test_any_texts_have_a_total_order(one: str, two: str, three: str, kind: str) -> None:
    assert compare(one, two, kind) == -compare(two, one, kind)
    if compare(one, two, kind) <= 0 and compare(two, three, kind) <= 0:
        assert compare(one, three, kind) <= 0


def test_all_comparators_of_a_range_must_hold() -> None:
    within = parse_range(">=3.0, <3.0.2")
    assert [within.holds(each, "deb") for each in ("2.9", "3.0", "3.0.1-1", "3.0.2")] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("text", ["", "3.0", "<", "< 3 >", "<3,,", "=>3"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no range"):
        parse_range(text)


@pytest.mark.parametrize(
    ("pattern", "value", "held"),
    [
        ("a*c", "abc", True), ("a*c", "ac", True), ("a*c", "a", False), ("*", "", True), ("a", "ab", False),
        ("https://x/*", "https://x/a/b", True), ("ab*ba", "aba", False), ("*a*b*", "xbxa", False), ("", "", True),
    ],
)  # fmt: skip
def test_a_star_is_any_run_of_characters(pattern: str, value: str, held: bool) -> None:
    assert Pattern(pattern).matches(value) is held


def _judge(allowed: str = "", denied: str = "") -> LicenceJudge:
    return LicenceJudge(tuple(map(Pattern, allowed.split())), tuple(map(Pattern, denied.split())))


@pytest.mark.parametrize(
    ("expression", "held"),
    [
        ("MIT", True), ("GPL-3.0-only", False), ("MIT OR GPL-3.0-only", True), ("MIT AND GPL-3.0-only", False),
        ("(MIT OR GPL-3.0-only) AND Apache-2.0", True), ("Apache-2.0 WITH LLVM-exception", True),
    ],
)  # fmt: skip
def test_of_or_one_licence_must_be_allowed_and_of_and_both(expression: str, held: bool) -> None:
    assert _judge(allowed="MIT Apache-2.0").accepts(expression) is held


def test_a_licence_that_is_denied_by_a_star_is_denied_with_its_exceptions() -> None:
    judge = _judge(denied="GPL-*")
    assert not judge.accepts("GPL-2.0-only WITH Classpath-exception-2.0")
    assert judge.accepts("LGPL-2.1-only OR GPL-2.0-only")


@pytest.mark.parametrize("expression", ["MIT AND", "(((", "A/B", "(" * 100_000])
def test_text_that_is_no_expression_is_said_to_be_none(expression: str) -> None:
    with pytest.raises(UnreadableLicence):
        _judge(allowed="MIT").accepts(expression)
