"""Modes as `--chmod` takes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.graph.chmod import ChmodError, SymbolicMode, parse_mode


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("+x", 0o644, 0o755),
        ("u+x", 0o644, 0o744),
        ("ug+x", 0o600, 0o710),
        ("go-rwx", 0o755, 0o700),
        ("a=r", 0o755, 0o444),
        ("=", 0o755, 0),
        ("=r", 0o1755, 0o1444),
        ("+X-w", 0o644, 0o444),
        ("+X", 0o744, 0o755),
        ("-x+X", 0o744, 0o755),
        ("-X", 0o755, 0o644),
        ("u=g+x", 0o640, 0o540),
        ("g=o", 0o741, 0o711),
        ("g=u", 0o2741, 0o2771),
        ("o+u", 0o741, 0o747),
        ("g-o", 0o777, 0o707),
        ("u=rw,g+", 0o777, 0o677),
        ("u=rwX,go=rX", 0o600, 0o644),
        ("u+s", 0o755, 0o4755),
        ("g+s", 0o755, 0o2755),
        ("+s", 0o755, 0o6755),
        ("o+s", 0o755, 0o755),
        ("u=rwx", 0o4755, 0o755),
        ("+t", 0o777, 0o1777),
        ("o+t", 0o777, 0o777),
        ("a-t", 0o1777, 0o777),
        ("u=rw,go=u,+x", 0o000, 0o777),
    ],
)
def test_symbolic_mode_changes_the_bits_of_a_file(text: str, before: int, after: int) -> None:
    assert oct(SymbolicMode(text).apply(before, directory=False)) == oct(after)


def test_capital_x_makes_every_directory_searchable() -> None:
    assert SymbolicMode("a+X").apply(0o600, directory=True) == 0o711


@pytest.mark.parametrize(
    "text", ["u+q", "a", "u+rwx,", "", ",", "u", "+rw,x", "u=rg", "+ug", "x", "u +x", "+x\n"]
)
def test_symbolic_mode_that_is_malformed_is_refused(text: str) -> None:
    with pytest.raises(ChmodError, match="invalid syntax"):
        parse_mode(text)


@pytest.mark.parametrize(("text", "mode"), [("0", 0), ("644", 0o644), ("0644", 0o644), ("7777", 0o7777)])
def test_octal_mode_is_taken_as_it_is(text: str, mode: int) -> None:
    assert parse_mode(text) == mode


@pytest.mark.parametrize("text", ["888", "64a", "0o644", "10000", "7 ", "٣"])
def test_text_that_begins_with_a_digit_must_be_octal(text: str) -> None:
    message = f"^invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777$"
    with pytest.raises(ChmodError, match=message):
        parse_mode(text)


@given(st.from_regex(r"([ugoa]{0,2}[-+=](([rwxXst]{0,3})|[ugo]))(,[ugoa][-+=][rwx]){0,2}", fullmatch=True))
def test_every_symbolic_mode_gives_permission_bits(text: str) -> None:
    assert 0 <= SymbolicMode(text).apply(0o751, directory=False) <= 0o7777
