"""Any text ends in a graph or in an error that says where; size costs no more than its share."""

from __future__ import annotations

import subprocess
import sys

import pytest
from dockerfiles import AMD64, World, failure, history, message, read, target, vertices
from hypothesis import example, given
from hypothesis import strategies as st

from builder.graph.location import LocatedError
from builder.system.errors import Cancelled, DockyardError, UsageError
from frontend import Options, convert
from frontend.dockerfile.instructions import READERS
from frontend.dockerfile.suggestions import did_you_mean

PIECES = st.one_of(
    st.sampled_from(
        [*READERS, "FROM busybox", "FROM scratch AS a", "--from=", "--chown=", "\\", "`", "\n", "\n\n"]
    ),
    st.sampled_from(
        ["# escape=`", "# syntax=x", "<<A", "A\n", "${A:-", "}", "$A", '"', "'", "[", "]", '["a"]', "="]
    ),
    st.sampled_from(
        [" ", "\t", "\r\n", "a", "/", "..", "80", "é", "\x00", "\u2028", "AS", "a=b", "--link", "0"]
    ),
)


@given(st.lists(PIECES, max_size=25))
def test_any_text_ends_in_a_graph_or_a_located_error(pieces: list[str]) -> None:
    try:
        built = read("FROM busybox\n" + " ".join(pieces))
    except LocatedError as error:
        assert error.message
        assert error.location is not None
        assert 1 <= error.location.first <= error.location.last
    else:
        assert len(built.targets) == 1


@example(b"\x1c")
@given(st.binary(max_size=80))
def test_any_bytes_end_in_a_graph_or_an_error(content: bytes) -> None:
    try:
        convert(content, Options(build_platform=AMD64), World())
    except DockyardError as error:
        assert error.message


def test_ten_thousand_instructions_convert_on_one_another() -> None:
    steps = "".join(f"RUN step {n}\nENV A{n % 9}='{n}' B=$A0\n" for n in range(5000))
    built = target(f"FROM busybox\n{steps}")
    assert len(vertices(built)) == 5001
    assert len(history(built)) == 10000


def test_variables_cannot_fill_the_memory() -> None:
    doubling = "ENV A=$A$A\n" * 40
    assert message(f"FROM busybox\nENV A=0123456789\n{doubling}").endswith(
        "more than 1048576 characters after expansion"
    )


@pytest.mark.parametrize("option", ["build_args", "labels"])
@pytest.mark.parametrize("pair", [("A", "a\udcff"), ("\udcff", "a")])
def test_options_that_are_no_text_are_refused(option: str, pair: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="is not valid UTF-8"):
        read("FROM busybox", None, **{option: dict([pair])})


def test_a_hostile_word_gets_no_suggestion_and_costs_nothing() -> None:
    assert did_you_mean("R" * 60000, READERS) == ""


@pytest.mark.parametrize(
    ("word", "candidates", "suggestion"),
    [
        ("bulid", ["build", "test"], " (did you mean build?)"),
        ("build", ["build", "builx"], ""),
        ("ab", ["ac", "aa"], " (did you mean aa?)"),
        ("xyz", ["a", "b"], ""),
        ("abc", [], ""),
    ],
)
def test_the_nearest_candidate_is_suggested(word: str, candidates: list[str], suggestion: str) -> None:
    assert did_you_mean(word, candidates) == suggestion


def test_a_cancelled_build_is_not_reported_as_a_missing_image() -> None:
    class Impatient(World):
        def image(self, *_: object, **__: object) -> object:  # type: ignore[override]
            raise Cancelled

    with pytest.raises(Cancelled):
        read("FROM busybox", Impatient())


def test_the_hint_of_the_resolver_is_passed_on() -> None:
    class Helpful(World):
        def image(self, *_: object, **__: object) -> object:  # type: ignore[override]
            raise DockyardError("no", hint="try this")

    assert failure("FROM busybox", Helpful()).hint == "try this"


def test_a_usual_dockerfile_never_loads_the_grammars() -> None:
    program = """
import sys
sys.path.insert(0, {path!r})
from dockerfiles import read
read('''FROM busybox AS a
ARG V=1 W
ENV A="b c" D=$V
RUN echo "$A" $(date) \\\\
  && sed -i 's/\\\\/x/' "it's ${{V}}"
COPY --chown=1:2 --link a "$A" /x/
LABEL k="v w"
''')
print("lark" in sys.modules)
"""
    path = next(each for each in sys.path if each.endswith("frontend"))
    printed = subprocess.run(
        [sys.executable, "-c", program.format(path=path)], check=True, capture_output=True, text=True
    )
    assert printed.stdout == "False\n"
