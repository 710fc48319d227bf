"""Ignore patterns: the tables of the `.dockerignore` rules, and a slow matcher that is obviously right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.graph.globs import DEEP, REST, STAR, PatternError, Token, regex, tokenize
from builder.graph.patterns import UNTOUCHED, IgnorePatterns


def excluded(patterns: list[str], path: str) -> bool:
    return IgnorePatterns(patterns).excludes_path(path)


@pytest.mark.parametrize(
    ("pattern", "excludes", "leaves"),
    [
        ("a", "a a/b a/b/c", "x/a ab"),
        ("*/b", "a/b a/b/c", "b a/c/b"),
        ("**/b", "b a/b a/c/b b/x", "ab a/bc"),
        ("a/**", "a/b a/b/c", "a b"),
        ("a/**/c", "a/c a/x/c a/x/y/c", "c a a/xc"),
        ("*", "a .a a/b", ""),
        ("**", "a .a a/b", ""),
        ("**foo", "foo xfoo a/xfoo", "food a/food"),
        ("foo**", "foo foox foo/x foox/y", "xfoo a/foo"),
        ("*.md", "README.md .md", "d/README.md md"),
        ("a?c", "abc a.c", "ac a/c abbc"),
        ("[a-c]x", "ax cx", "dx x"),
        ("[^a-c]x", "dx", "ax /x"),
        (r"\*a", "*a", "xa"),
        ("a.b", "a.b", "axb"),
        ("/a", "", "a x/a"),
        ("./a/", "a", "x/a"),
        ("a//b/../c", "a/c", "a/b"),
        (".", "", "a .a"),
        ("..", "", "a ..a"),
        ("/", "", "a"),
        ("../a", "", "a"),
        ("Foo", "Foo", "foo"),
        ("**/*.pyc", "x.pyc a/b/x.pyc", "x.py a/pyc"),
        ("a*b*c", "abc axxbxxc", "ab/c axc"),
        ("*/**/z", "a/z a/b/z", "z"),
        ("a**b", "ab ax/b", "axb"),
    ],
)
def test_pattern_excludes_and_leaves_what_the_rules_say(pattern: str, excludes: str, leaves: str) -> None:
    assert [path for path in excludes.split() if not excluded([pattern], path)] == []
    assert [path for path in leaves.split() if excluded([pattern], path)] == []


@pytest.mark.parametrize(
    ("patterns", "excludes", "leaves"),
    [
        (["**", "!a/b"], "a x a/c", "a/b a/b/c"),
        (["a", "!a/b", "a/b/c"], "a a/x a/b/c a/b/c/d", "a/b a/b/x"),
        (["!a", "a"], "a a/b", "b"),
        (["*", "!src", "src/*.tmp"], "README src/a.tmp", "src src/a src/x/a.tmp"),
        (["a", " ! b ", "!a/b"], "a", "a/b"),
        (["", "  ", "a"], "a", "b"),
    ],
)
def test_last_match_of_path_or_parent_wins(patterns: list[str], excludes: str, leaves: str) -> None:
    assert [path for path in excludes.split() if not excluded(patterns, path)] == []
    assert [path for path in leaves.split() if excluded(patterns, path)] == []


@pytest.mark.parametrize("pattern", ["[a", "a\\", "[]a]", "[^]", "[-]", "[a-", "[z-a]", "[\\", "x/[", "!["])
def test_pattern_that_cannot_be_read_is_a_syntax_error(pattern: str) -> None:
    with pytest.raises(PatternError, match=r"^syntax error in pattern"):
        IgnorePatterns([pattern])


@pytest.mark.parametrize("pattern", ["!", " ! "])
def test_exclamation_mark_alone_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError, match=r'illegal exclusion pattern: "!"'):
        IgnorePatterns([pattern])


def test_more_patterns_than_the_limit_are_refused() -> None:
    with pytest.raises(PatternError, match=r"too many"):
        IgnorePatterns(["a"] * 10_001)


@pytest.mark.parametrize(
    ("patterns", "directory", "expected"),
    [
        (["a"], "a", False),
        (["a", "!b"], "a", False),
        (["a", "!a/b"], "a", True),
        (["a", "!a/b"], "a/x", False),
        (["a", "!a/*/c"], "a/x", True),
        (["a", "!a/*/c"], "a/x/y", False),
        (["a", "!**/c"], "a/x/y", True),
        (["a", "!x/**"], "a", False),
        (["a", "!a**b"], "a", True),
        (["!a/b", "a"], "a", False),
    ],
)
def test_excluded_directory_is_walked_only_for_an_exception(
    patterns: list[str], directory: str, expected: bool
) -> None:
    compiled = IgnorePatterns(patterns)
    level = UNTOUCHED
    for end in range(1, directory.count("/") + 2):
        level = compiled.level("/".join(directory.split("/")[:end]), level)

    assert compiled.excludes(level)
    assert compiled.may_keep_below(directory, level) is expected


def test_hostile_patterns_do_not_backtrack() -> None:
    text = "a" * 250 + "/" + "a" * 250
    patterns = [
        "a*" * 60 + "b",
        "**/" + "*a" * 60 + "b",
        "**a*a**a*a**a*b",
        "**/a" * 60 + "b",
        "*" * 999 + "b",
    ]

    assert [pattern for pattern in patterns if excluded([pattern], text)] == []


def test_names_that_are_not_utf8_are_matched() -> None:
    assert excluded(["a?b"], "a\udcffb")


PATTERNS = st.text(alphabet="ab*?/.", min_size=1, max_size=8)
PATHS = st.lists(st.text(alphabet="ab.", min_size=1, max_size=4), min_size=1, max_size=4).map("/".join)


@given(PATTERNS, PATHS)
def test_regular_expression_agrees_with_the_definition(pattern: str, path: str) -> None:
    import re

    tokens = tokenize(pattern)

    assert bool(re.fullmatch(regex(tokens), path)) is slowly_matches(tokens, path)


@given(st.lists(st.tuples(st.booleans(), PATTERNS), max_size=4), PATHS)
def test_walk_with_pruning_sees_exactly_the_kept_paths(rules: list[tuple[bool, str]], path: str) -> None:
    compiled = IgnorePatterns([f"!{text}" if keep else text for keep, text in rules])
    components = path.split("/")
    level, pruned = UNTOUCHED, False
    for end in range(1, len(components)):
        directory = "/".join(components[:end])
        level = compiled.level(directory, level)
        pruned = pruned or (compiled.excludes(level) and not compiled.may_keep_below(directory, level))

    seen = not pruned and not compiled.excludes(compiled.level(path, level))

    assert seen is not compiled.excludes_path(path)


def slowly_matches(tokens: list[Token], text: str) -> bool:
    """Tries everything; the definition of the pattern language."""
    if not tokens:
        return text == ""
    first, rest = tokens[0], tokens[1:]
    if first is STAR:
        ends = next((index for index, character in enumerate(text) if character == "/"), len(text))
        return any(slowly_matches(rest, text[index:]) for index in range(ends + 1))
    if first is REST:
        return any(slowly_matches(rest, text[index:]) for index in range(len(text) + 1))
    if first is DEEP:
        starts = [0, *(index + 1 for index, character in enumerate(text) if character == "/")]
        return any(slowly_matches(rest, text[start:]) for start in starts)
    if not text:
        return False
    matches = text[0] == first if len(str(first)) == 1 else text[0] != "/"
    return matches and slowly_matches(rest, text[1:])
