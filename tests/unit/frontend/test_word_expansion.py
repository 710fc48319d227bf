"""Word expansion: every form, every error, and laws for words that nobody thought of."""

from __future__ import annotations

import re
from fnmatch import translate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend.dockerfile import words
from frontend.dockerfile.errors import ExpansionError
from frontend.dockerfile.expansion import MAX_EXPANDED, expand, names_in, show
from frontend.dockerfile.substitution import find_matches, trim_prefix, trim_suffix
from frontend.dockerfile.words import MAX_DEPTH, Conditional, DoubleQuoted, Text, Variable, read_word

VARIABLES = {"A": "aa/bb/cc.txt", "N": "", "é1": "accent"}
ESCAPES = st.sampled_from("\\`")
WORDS = st.text(alphabet="$aA1_{}'\"\\ /:-#?+%\n`é!*", max_size=30)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("${A#*/}", "bb/cc.txt"),
        ("${A##*/}", "cc.txt"),
        ("${A%/*}", "aa/bb"),
        ("${A%%/*}", "aa"),
        ("${A/aa/X}", "X/bb/cc.txt"),
        (r"${A//\//-}", "aa-bb-cc.txt"),
        ("${A/?b/Z}", "aaZb/cc.txt"),
        (r"${A/*\//Q}", "Qcc.txt"),
        ("${A//b*c/Q}", "aa/Q.txt"),
        (r"${A//a/\/}", r"\/\//bb/cc.txt"),
        ("${A//[/y}", "aa/bb/cc.txt"),
        ("${A/*/y}", "y"),
        ("${A//*/y}", "y"),
        ("${A#'aa'}", "/bb/cc.txt"),
        ("${A#$N}", "aa/bb/cc.txt"),
        ("${U#x}", ""),
        ("${U/x/y}", ""),
        ("$A", "aa/bb/cc.txt"),
        ("${A}x", "aa/bb/cc.txtx"),
        ("$é1", "accent"),
        ("$1A", "A"),
        ("$12", ""),
        ("$@$*$#$?$-$!$0$$x", "x"),
        (r"\\$A", "\\aa/bb/cc.txt"),
        (r"\$A", "$A"),
        ('"a\\b"', "a\\b"),
        ('"\\"\\$\\\\"', '"$\\'),
        (r"a\b", "ab"),
        ("a\\", "a"),
        ("'$A'", "$A"),
        ("'a\\'", "a\\"),
        ("\"'$A'\"", "'aa/bb/cc.txt'"),
        ("$'A'", "$A"),
        ('$"A"', "$A"),
        ("`ls` ~ * {a,b} $(x) $((1))", "`ls` ~ * {a,b} $(x) $((1))"),
        ("${U:-x}${N:-x}", "xx"),
        ("${N-x}", ""),
        ("${U-x}", "x"),
        ("${A:-x}", "aa/bb/cc.txt"),
        ("${U:+x}${N:+x}", ""),
        ("${N+x}${A:+y}${A+z}", "xyz"),
        ("${U+x}", ""),
        ("${A:?no}${A?}", "aa/bb/cc.txtaa/bb/cc.txt"),
        ("${N?}", ""),
        ("${U:-${A##*/}}", "cc.txt"),
        ('${U:-a "b c"}', "a b c"),
        ("${U:-a\\}b}", "a}b"),
        ("${A:-{}}", "aa/bb/cc.txt}"),
        ('"${U:-"x y"}"', "x y"),
        ("$", "$"),
        ("a$", "a$"),
        ("$/", "$/"),
        ("", ""),
    ],
)
def test_a_word_has_this_value(word: str, value: str) -> None:
    assert expand(word, VARIABLES) == value


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("${U:?no}", "U: no"),
        ("${U?}", "U: is not allowed to be unset"),
        ("${N:?}", "N: is not allowed to be empty"),
        ("${U:?}", "U: is not allowed to be unset"),
        ("${A^^}", "unsupported modifier (^) in substitution"),
        ("${A,,}", "unsupported modifier (,) in substitution"),
        ("${A@Q}", "unsupported modifier (@) in substitution"),
        ("${A=x}", "unsupported modifier (=) in substitution"),
        ("${A:=x}", "unsupported modifier (:=) in substitution"),
        ("${A:0:2}", "unsupported modifier (:0) in substitution"),
        ("${#v}", "unsupported modifier (v) in substitution"),
        ("${!v}", "unsupported modifier (v) in substitution"),
        ("${A:#x}", "unsupported modifier (:#) in substitution"),
        ("${A:%x}", "unsupported modifier (:%) in substitution"),
        ("${A", "unsupported modifier (\ufffd) in substitution"),
        ("${}", "syntax error: bad substitution"),
        ("${:x}", "syntax error: bad substitution"),
        ("${{a}", "syntax error: bad substitution"),
        ("${", "syntax error: missing '}'"),
        ("${A:", "syntax error: missing '}'"),
        ("${A:-x", "syntax error: missing '}'"),
        ("${A:-'x", "syntax error: missing '}'"),
        ('"${A:-x', "syntax error: missing '}'"),
        ("${U:-${A/x", "syntax error: missing '}'"),
        ("${A/x/y", "syntax error: missing '}'"),
        ("${A#x", "syntax error: missing '}'"),
        ("${A/x}", "syntax error: missing '/' in ${}"),
        (r"${A/\x/y}", r"invalid pattern (\x) in substitution: invalid escape '\x'"),
        (r"${A#\a}", r"invalid pattern (\a) in substitution: invalid escape '\a'"),
        ('"a', "unexpected end of statement while looking for matching double-quote"),
        ("a'b", "unexpected end of statement while looking for matching single-quote"),
    ],
)
def test_a_word_that_cannot_be_expanded_says_why(word: str, reason: str) -> None:
    with pytest.raises(ExpansionError) as caught:
        expand(word, VARIABLES)
    assert caught.value.message.startswith('failed to process "')
    assert caught.value.message.endswith(f'": {reason}')


def test_the_backtick_can_be_the_escape_character() -> None:
    assert expand(r"C:\dir`$A`` $A", {"A": "x"}, escape="`") == r"C:\dir$A` x"
    assert expand('"`"`x${A}"', {"A": "x"}, escape="`") == '"`xx'


def test_every_name_that_was_looked_up_in_vain_is_reported() -> None:
    unset: set[str] = set()
    expand('$A $B "${C:-$D}" ${E+x} ${N-y}', VARIABLES, unset=unset)
    assert unset == {"B", "C", "D", "E"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("RUN echo $A ${A}", "RUN echo aa/bb/cc.txt aa/bb/cc.txt"),
        ("RUN echo '$A' \"$A\"", "RUN echo '$A' \"aa/bb/cc.txt\""),
        ("RUN echo $U ${U} ${U:-d} ${U#p} ${U//a/b}", "RUN echo $U ${U} ${U:-d} ${U#p} ${U//a/b}"),
        ("RUN echo \\$A $(date)", "RUN echo $A $(date)"),
        ("RUN it's $A", "RUN it's $A"),
        ("RUN ${A^^}", "RUN ${A^^}"),
    ],
)
def test_text_for_people_keeps_quotes_and_unset_variables(text: str, shown: str) -> None:
    assert show(text, VARIABLES, verbatim=True) == shown


def test_text_for_people_can_be_expanded_in_full() -> None:
    assert show('COPY "$A" ${U:-d} /x/', VARIABLES, verbatim=False) == "COPY aa/bb/cc.txt d /x/"


def test_text_for_people_does_not_grow_without_bound() -> None:
    assert show("RUN $A$A", {"A": "a" * 4000}, verbatim=True) == "RUN $A$A"


def test_the_names_in_a_word_are_found() -> None:
    assert names_in("a${B:-$C}") == {"B", "C"}
    assert names_in("plain") == frozenset()
    assert names_in('"') == frozenset()


@pytest.mark.parametrize("word", ["$A$A", "${A//a/$A}", "${A/a/$A}$A"])
def test_a_word_that_expands_beyond_the_limit_is_refused(word: str) -> None:
    with pytest.raises(ExpansionError, match="more than 1048576 characters after expansion"):
        expand(word, {"A": "a" * (MAX_EXPANDED - 1)})


def test_forms_stand_in_each_other_only_so_deep() -> None:
    assert expand("${U:-" * MAX_DEPTH + "x" + "}" * MAX_DEPTH, {}) == "x"
    with pytest.raises(ExpansionError, match="more than 64 deep"):
        expand("${U:-" * 10000 + "}" * 10000, {})


def test_every_node_knows_its_column() -> None:
    assert read_word('a"$B"${C:-d}', "\\") == (
        Text("a", 0),
        DoubleQuoted((Variable("B", braced=False, column=2),), 1),
        Conditional("C", ":-", (Text("d", 10),), 5),
    )


@given(WORDS, ESCAPES)
def test_the_quick_reader_and_the_grammar_make_the_same_tree(word: str, escape: str) -> None:
    quick = words._read_plain(word, escape)
    assert quick is None or quick == words._read_any(word, escape)


@given(WORDS, ESCAPES)
def test_any_word_has_a_value_or_an_expansion_error(word: str, escape: str) -> None:
    try:
        value = expand(word, VARIABLES, escape=escape)
    except ExpansionError as error:
        assert error.message.startswith("failed to process")
    else:
        assert len(value) <= MAX_EXPANDED


@given(st.text(max_size=30))
def test_single_quotes_keep_everything_but_themselves(text: str) -> None:
    text = text.replace("'", "")
    assert expand(f"'{text}'", VARIABLES) == text


@given(st.text(max_size=30))
def test_escaping_every_character_keeps_the_text(text: str) -> None:
    assert expand("".join(f"\\{character}" for character in text), VARIABLES) == text


PATTERNS = st.text(alphabet="ab*?", max_size=6)
VALUES = st.text(alphabet="ab", max_size=10)


def matches(pattern: str, text: str) -> bool:
    return re.fullmatch(translate(pattern), text) is not None


@given(PATTERNS, VALUES)
def test_trimming_takes_the_shortest_or_longest_match(pattern: str, value: str) -> None:
    prefixes = [end for end in range(len(value) + 1) if matches(pattern, value[:end])]
    suffixes = [start for start in range(len(value) + 1) if matches(pattern, value[start:])]
    assert trim_prefix(value, pattern, longest=False) == value[min(prefixes, default=0) :]
    assert trim_prefix(value, pattern, longest=True) == value[max(prefixes, default=0) :]
    assert trim_suffix(value, pattern, longest=False) == value[: max(suffixes, default=len(value))]
    assert trim_suffix(value, pattern, longest=True) == value[: min(suffixes, default=len(value))]


@given(PATTERNS, VALUES)
def test_the_first_match_is_the_leftmost_and_then_the_longest(pattern: str, value: str) -> None:
    spans = (
        (start, end)
        for start in range(len(value) + 1)
        for end in range(len(value), start - 1, -1)
        if matches(pattern, value[start:end])
    )
    assert next(find_matches(value, pattern), None) == next(spans, None)


def test_wildcards_stop_at_the_end_of_a_line() -> None:
    assert trim_prefix("ab\ncd", "*", longest=True) == "\ncd"
    assert list(find_matches("a\nab", "a*b")) == [(2, 4)]
    assert list(find_matches("ab\nab", "b\na")) == [(1, 4)]


def test_no_pattern_makes_matching_explode() -> None:
    value = "a" * 200_000
    assert trim_prefix(value, "*a" * 20 + "b", longest=True) == value
    assert list(find_matches(value, "*a" * 20 + "b")) == []
