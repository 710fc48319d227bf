"""What a policy chooses to remove, in which order, and where it stops."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.cache.entries import CacheEntry
from builder.cache.policy import Disk, Policy, choose, goal

ROOMY = Disk(size=1000, free=900)
NOW = 1_000_000.0


def entry(name: str, *parents: str, used: float | None = NOW, **facts: object) -> CacheEntry:
    plain = CacheEntry(
        id=name,
        kind="regular",
        description=name,
        parents=parents,
        created_at=0,
        used_at=used,
        size=10,
        keys=(name,),
    )
    return msgspec.structs.replace(plain, **facts)


def chosen(policy: Policy, *entries: CacheEntry, disk: Disk = ROOMY) -> str:
    return "".join(each.id for each in choose(entries, policy, now=NOW, disk=disk))


def test_without_a_size_everything_goes_children_before_parents() -> None:
    assert chosen(Policy(), entry("a"), entry("b", "a"), entry("c", "b")) == "cba"


def test_what_a_build_uses_stays_with_all_that_it_stands_on() -> None:
    assert chosen(Policy(all=True), entry("a"), entry("b", "a", in_use=True), entry("c", "b")) == "c"


@pytest.mark.parametrize("facts", [{"kept": 1}, {"kind": "internal"}, {"kind": "frontend"}])
def test_shared_and_internal_entries_go_only_with_all(facts: dict[str, object]) -> None:
    assert chosen(Policy(), entry("a", **facts)) == ""
    assert chosen(Policy(all=True), entry("a", **facts)) == "a"


def test_what_was_used_lately_stays_and_what_never_was_counts_as_old() -> None:
    entries = (entry("a", used=NOW - 10), entry("b", used=NOW - 100), entry("c", used=None))
    assert chosen(Policy(keep_seconds=50), *entries) == "cb"


def test_with_a_size_only_so_much_goes_least_recently_used_first() -> None:
    entries = [entry(name, used=NOW - age) for name, age in (("a", 1), ("b", 3), ("c", 2))]
    assert chosen(Policy(max_used=20), *entries) == "b"


def test_a_recent_entry_used_once_goes_before_an_old_one_used_often() -> None:
    often, once = entry("o", used=NOW - 9, uses=50), entry("n", used=NOW - 8, uses=0)
    others = [entry(name, used=NOW, uses=60) for name in "xyz"]
    assert chosen(Policy(max_used=40), often, once, *others) == "n"


def test_layers_of_base_images_go_with_the_last_that_stands_on_them() -> None:
    base = entry("b", keys=())
    assert chosen(Policy(max_used=10), base, entry("c", "b", used=NOW - 1), entry("d")) == "c"


def test_only_what_a_filter_matches_goes() -> None:
    assert chosen(Policy(filters=("id==a",)), entry("a"), entry("b")) == "a"


@pytest.mark.parametrize(
    ("policy", "disk", "expected"),
    [
        (Policy(), ROOMY, None),
        (Policy(max_used=50), ROOMY, 50),
        (Policy(reserved=50), ROOMY, 50),
        (Policy(min_free=900), ROOMY, 100),
        (Policy(min_free=930), ROOMY, 70),
        (Policy(min_free=930, max_used=80), ROOMY, 70),
        (Policy(min_free=930, max_used=60), ROOMY, 60),
        (Policy(min_free=990, reserved=40), ROOMY, 40),
        (Policy(max_used=10, reserved=40), ROOMY, 40),
    ],
)
def test_the_goal_follows_from_the_three_sizes(policy: Policy, disk: Disk, expected: int | None) -> None:
    assert goal(policy, 100, disk) == expected


@st.composite
def forests(draw: st.DrawFn) -> list[CacheEntry]:
    count = draw(st.integers(0, 12))
    return [
        entry(
            str(number),
            *([str(draw(st.integers(0, number - 1)))] if number and draw(st.booleans()) else []),
            used=draw(st.none() | st.floats(0, NOW)),
            uses=draw(st.integers(0, 3)),
            size=draw(st.integers(0, 100)),
            in_use=draw(st.booleans()),
            keys=("k",) if draw(st.booleans()) else (),
        )
        for number in range(count)
    ]


@given(forests(), st.integers(0, 300), st.booleans())
def test_nothing_goes_before_what_stands_on_it_and_nothing_in_use(
    entries: list[CacheEntry], most: int, everything: bool
) -> None:
    gone: set[str] = set()
    for each in choose(entries, Policy(all=everything, max_used=most), now=NOW, disk=ROOMY):
        assert not each.in_use
        gone.add(each.id)
        base = {other.id for other in entries if not other.keys and not other.in_use}
        assert all(other.id in gone | base for other in entries if each.id in other.parents)
