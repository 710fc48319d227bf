"""Heredocs: what announces one, and where it ends. Building them is for later; reading past them is not."""

from __future__ import annotations

import pytest
from dockerfiles import failure

from frontend.dockerfile.heredocs import find_markers
from frontend.dockerfile.parse import parse
from frontend.dockerfile.tree import Copy, Onbuild, Run


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("RUN <<EOF", [("EOF", True, False, 0)]),
        ("RUN <<-EOF", [("EOF", True, True, 0)]),
        ("RUN <<'EOF'", [("EOF", False, False, 0)]),
        ('RUN <<"E O"', [("E O", False, False, 0)]),
        ("RUN <<E'O'F", [("EOF", False, False, 0)]),
        ("RUN << EOF", [("EOF", True, False, 0)]),
        ("RUN <<- EOF", [("EOF", True, True, 0)]),
        ("RUN << -EOF", [("-EOF", True, False, 0)]),
        ("RUN 3<<EOF", [("EOF", True, False, 3)]),
        ("RUN <<$X", [("$X", True, False, 0)]),
        ("RUN <<A;ls", [("A;ls", True, False, 0)]),
        ("RUN (cat <<A)", [("A)", True, False, 0)]),
        ("RUN echo 1 << 2", [("2", True, False, 0)]),
        ("RUN cat <<A | tr x y <<B", [("A", True, False, 0), ("B", True, False, 0)]),
        ("RUN \\<<A", []),
        ('RUN "<<A"', []),
        ("RUN <<<A", []),
        ("RUN x<<A", []),
        ("RUN echo $((1<<2))", []),
        ("RUN echo 'open <<A", []),
        ("RUN <<", []),
    ],
)
def test_a_word_announces_a_heredoc_when_it_is_nothing_else(
    line: str, expected: list[tuple[str, bool, bool, int]]
) -> None:
    found = [(each.name, each.expand, each.chomp, each.descriptor) for each in find_markers(line)]
    assert found == expected


def run_of(text: str) -> Run:
    (run, *_) = parse("Dockerfile", f"FROM a\n{text}".encode()).stages[0].instructions
    assert isinstance(run, Run)
    return run


def test_bodies_follow_in_the_order_of_their_markers() -> None:
    run = run_of("RUN <<A <<B\none\nA\ntwo\nB\nRUN next")
    assert [each.content for each in run.heredocs] == ["one\n", "two\n"]
    assert (run.location.first, run.location.last) == (2, 6)


def test_a_body_keeps_comments_continuations_and_line_ends() -> None:
    assert run_of("RUN <<A\n# c\r\nx \\\n\nA\r\n").heredocs[0].content == "# c\r\nx \\\n\n"


def test_a_dash_lets_the_terminator_be_indented_by_tabs() -> None:
    assert run_of("RUN <<-A\n\tx\n\tA\n").heredocs[0].content == "\tx\n"


def test_blanks_behind_the_name_make_no_terminator() -> None:
    error = failure("FROM a\nRUN <<A\nA \n")
    assert error.message == "unterminated heredoc"
    assert error.location is not None
    assert (error.location.first, error.location.last) == (2, 3)


@pytest.mark.parametrize(
    "line", ['COPY ["<<A", "/b"]', 'RUN --network=none ["a", "<<A"]', "CMD <<A", "ENV A=<<A"]
)
def test_json_and_other_instructions_have_no_heredocs(line: str) -> None:
    assert len(parse("Dockerfile", f"FROM a\n{line}\nRUN x".encode()).stages[0].instructions) == 2


def test_a_test_command_is_not_mistaken_for_json() -> None:
    assert run_of("RUN [ -f a ] && cat <<A\nx\nA").heredocs[0].content == "x\n"


def test_a_marker_among_copy_sources_is_no_path() -> None:
    (copy,) = parse("Dockerfile", b"FROM a\nCOPY x <<F /d/\nbody\nF").stages[0].instructions
    assert isinstance(copy, Copy)
    assert copy.sources == ("x",)


def test_a_trigger_keeps_its_heredocs() -> None:
    (trigger,) = parse("Dockerfile", b"FROM a\nONBUILD RUN <<A\nx\nA").stages[0].instructions
    assert isinstance(trigger, Onbuild)
    assert trigger.trigger == "RUN <<A\nx\nA"


def test_a_trigger_keeps_the_blanks_behind_it() -> None:
    (trigger,) = parse("Dockerfile", b"FROM a\nONBUILD cmd a \\\n# comment").stages[0].instructions
    assert isinstance(trigger, Onbuild)
    assert trigger.trigger == "cmd a "
