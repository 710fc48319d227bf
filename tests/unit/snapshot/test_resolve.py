"""Paths through links inside a root that is not mounted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory import layer, symlink, view

from builder.snapshot.errors import PathConflict
from builder.snapshot.resolve import MAX_LINKS, resolve

if TYPE_CHECKING:
    from pathlib import Path

    from builder.snapshot.entry import Node


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", ""),
        ("/a//b/./c/", "a/b/c"),
        ("../../a", "a"),
        ("a/../../b", "b"),
        ("link", "d/f"),
        ("abs", "d/f"),
        ("up", "d/f"),
        ("dirlink/f", "d/f"),
        ("dirlink/../x", "x"),
        ("chain", "d/f"),
        ("dangling", "no/where"),
        ("dangling/more", "no/where/more"),
        ("missing/../d", "d"),
    ],
)
def test_path_resolves_as_in_a_root_of_its_own(path: str, expected: str) -> None:
    links = {
        "link": "d/f",
        "abs": "/d/f",
        "up": "../../d/f",
        "dirlink": "d",
        "chain": "link",
        "dangling": "no/where",
    }

    assert resolve(view("d/f", *(symlink(name, target) for name, target in links.items())), path) == expected


def test_as_many_links_as_the_kernel_follows_are_followed() -> None:
    assert resolve(view("l0", *chain(MAX_LINKS)), f"l{MAX_LINKS}") == "l0"


def test_one_more_link_than_the_kernel_follows_is_an_error() -> None:
    with pytest.raises(PathConflict, match=f"^/l{MAX_LINKS + 1}: too many levels of symbolic links"):
        resolve(view("l0", *chain(MAX_LINKS + 1)), f"l{MAX_LINKS + 1}")


def test_link_longer_than_any_file_system_holds_is_an_error() -> None:
    with pytest.raises(PathConflict):
        resolve(view(symlink("l", "a/" * 3000)), "l")


def chain(length: int) -> list[Node]:
    return [symlink(f"l{index}", f"l{index - 1}") for index in range(1, length + 1)]


NAMES = st.sampled_from(["a", "b", "c"])
TARGETS = st.lists(st.sampled_from(["a", "b", "c", "..", "."]), min_size=1, max_size=4).map("/".join)


@given(
    st.dictionaries(NAMES, st.tuples(st.booleans(), TARGETS)),
    st.lists(st.sampled_from(["a", "b", "c", ".."]), min_size=1, max_size=4).map("/".join),
)
def test_no_path_resolves_out_of_the_root_or_to_a_link(links: dict[str, tuple[bool, str]], path: str) -> None:
    files = layer(*(symlink(name, "/" * absolute + target) for name, (absolute, target) in links.items()))
    below = view(*(node for node in files.below("")))

    try:
        resolved = resolve(below, path)
    except PathConflict:
        return

    assert not {"..", ".", ""} & set(resolved.split("/")) or resolved == ""
    node = below.lstat(resolved)
    assert node is None or node.entry.kind != "symlink"


def test_resolution_agrees_with_the_kernel(tmp_path: Path) -> None:
    links = {"l": "d/e", "m": "l/../f", "d/n": "../l", "d/e/o": "../../m"}
    (tmp_path / "d/e").mkdir(parents=True)
    (tmp_path / "d/f").touch()
    for name, target in links.items():
        (tmp_path / name).symlink_to(target)
    below = view("d/e/", "d/f", *(symlink(name, target) for name, target in links.items()))

    for path in ("m", "d/n", "d/e/o", "d/n/o", "l/../f"):
        assert os.path.realpath(tmp_path / path) == str(tmp_path / resolve(below, path))
