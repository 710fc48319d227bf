"""Argument styles: JSON, words, pairs and flags."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend.dockerfile import arguments
from frontend.dockerfile.arguments import ArgumentError, Pair, read_json, read_pairs, read_words, split_flags

ESCAPES = st.sampled_from("\\`")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('["a", "b c"]', ("a", "b c")),
        (" [] ", ()),
        ('\u00a0["a"]', ("a",)),
        (r'["\ud83d\ude00"]', ("😀",)),
        (r'["\ud800x"]', ("\ufffdx",)),
        ("a", None),
        ("", None),
        ("[]x", None),
        ("[\"a\", 'b']", None),
        ('["a",]', None),
        ('["a" "b"]', None),
        (r'["c:\x"]', None),
        (r'["\ud800", NaN]', None),
        ("[NaN]", None),
        ('["a"', None),
    ],
)
def test_a_json_array_of_strings_is_the_exec_form(text: str, words: tuple[str, ...] | None) -> None:
    assert read_json(text) == words


@pytest.mark.parametrize(
    "text",
    ['["a", 1]', "[[]]", "[{}]", "[true]", "[null]", "[1e999]", r'["\ud800", 1]', "[" * 9000 + "]" * 9000],
)
def test_an_array_of_other_things_is_an_error(text: str) -> None:
    with pytest.raises(ArgumentError, match="arrays must be comprised of strings only"):
        read_json(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b", ["a", "b"]),
        ("a='b c' d", ["a='b c'", "d"]),
        (r"a=\  b", ["a=\\ ", "b"]),
        (r'a="b\"c d" e', [r'a="b\"c d"', "e"]),
        ('x="abc d', ['x="abc d']),
        ("x='a\\", ["x='a\\"]),
        ("a\\", ["a"]),
        ("a \\", ["a"]),
        ('""', ['""']),
        ("a\u00a0b", ["a", "b"]),
        ("", []),
    ],
)
def test_quotes_and_escapes_hold_words_together_and_stay(text: str, words: list[str]) -> None:
    assert [word.text for word in read_words(text, "\\")] == words


def test_every_word_knows_its_column() -> None:
    assert [word.column for word in read_words("a  'b c' \\ d", "\\")] == [0, 3, 9]


@given(st.text(alphabet="ab='\" \t\\`", max_size=20), ESCAPES)
def test_the_quick_reader_of_words_agrees_with_the_grammar(text: str, escape: str) -> None:
    text = text.strip()
    quick = arguments._plain_words(text)
    if quick and escape not in text:
        assert quick == arguments._grammar_words(text, escape)


@pytest.mark.parametrize(
    ("text", "pairs", "legacy"),
    [
        ("a=1 b=2", (Pair("a", "1"), Pair("b", "2")), False),
        ('a="x y" b=c=d', (Pair("a", '"x y"'), Pair("b", "c=d")), False),
        ("a  b  c", (Pair("a", "b  c"),), True),
        ('a "b=c"', (Pair("a", '"b=c"'),), True),
        ("=x", (Pair("", "x"),), False),
        ("", (), False),
    ],
)
def test_pairs_have_a_form_with_and_one_without_equals(
    text: str, pairs: tuple[Pair, ...], legacy: bool
) -> None:
    assert read_pairs("ENV", text, "\\") == (pairs, legacy)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A=1 B", 'Syntax error - can\'t find = in "B". Must be of the form: name=value'),
        ("A", "ENV must have two arguments"),
    ],
)
def test_pairs_that_are_none_are_refused(text: str, reason: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        read_pairs("ENV", text, "\\")
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("text", "flags", "rest"),
    [
        ("a --b", (), "a --b"),
        ("--from=x a b", ("--from=x",), "a b"),
        ("--a --b=c\td", ("--a", "--b=c"), "d"),
        ('--a="b c" x', ("--a=b c",), "x"),
        ("--a='b\\'c' d", ("--a=b'c",), "d"),
        (r"--a=b\ c d", ("--a=b c",), "d"),
        ('--a="b c', ("--a=b c",), ""),
        ('--a="b\\"', ('--a=b"',), ""),
        ("--a=b\\", ("--a=b",), ""),
        ("--", (), ""),
        ("-- --x", (), "--x"),
        ("--x -- --y", ("--x",), "--y"),
        ("-x --y", (), "-x --y"),
        ("--a=ü b", ("--a=ü",), "b"),
    ],
)
def test_flags_are_cut_off_in_front_of_the_arguments(text: str, flags: tuple[str, ...], rest: str) -> None:
    assert split_flags(text, "\\") == (flags, rest)


@given(st.lists(st.text(alphabet="ab=/", min_size=1, max_size=5), max_size=4), ESCAPES)
def test_the_quick_reader_of_flags_agrees_with_the_grammar(names: list[str], escape: str) -> None:
    text = " ".join([*(f"--{name}" for name in names), "rest  of it"])
    assert split_flags(text, escape) == arguments._grammar_flags(text, escape)


@given(st.text(alphabet="-ab='\" \\`", max_size=20), ESCAPES)
def test_any_text_can_be_cut_into_flags_and_arguments(text: str, escape: str) -> None:
    flags, rest = arguments._grammar_flags(text.strip(), escape)
    assert all(flag.startswith("--") for flag in flags)
    assert text.strip().endswith(rest)
