"""Members of one name, found by counting: the same as a parser finds that is told of every object."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.attest.verify.members import has_twins


class Pairs(list[Any]):
    """An object by its members, which may have one name."""


def _written(value: Any) -> str:
    if isinstance(value, Pairs):
        return "{" + ", ".join(f"{json.dumps(name)} :{_written(each)}" for name, each in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return json.dumps(value)


_LEAVES = (
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.integers()
)
_NAMES = st.sampled_from(["a", "b", ":", '"', "\\", '":', "\u2028"])
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(_NAMES, inner), max_size=3).map(Pairs),
    max_leaves=12,
)


@settings(deadline=None)
@given(_VALUES)
def test_twins_are_found_wherever_a_parser_with_a_hook_finds_them(value: Any) -> None:
    found: list[bool] = []

    def look(members: list[tuple[str, Any]]) -> dict[str, Any]:
        found.append(len(dict(members)) != len(members))
        return dict(members)

    json.loads(_written(value), object_pairs_hook=look)
    assert has_twins(_written(value).encode()) == any(found)


def test_names_that_are_written_in_two_ways_are_one_name() -> None:
    assert has_twins(rb'{"subject": 1, "\u0073ubject": 2}')
