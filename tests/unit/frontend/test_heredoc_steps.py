"""Heredocs as commands and as files."""

from __future__ import annotations

import pytest
from dockerfiles import history, last, last_file, last_run, message, names, target
from hypothesis import given
from hypothesis import strategies as st

from builder.graph import Copy, MakeFile, Owner, ScriptMount
from frontend.dockerfile.expansion import expand_document

SHELL = ("/bin/sh", "-c")


def made(text: str) -> tuple[MakeFile, ...]:
    actions = last_file(target(f"FROM busybox\n{text}")).actions
    return tuple(action for action in actions if isinstance(action, MakeFile))


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("RUN <<E\na $X\n\tb\nE", "a $X\n\tb\n"),
        ("RUN 3<<E\na\nE", "a\n"),
        ("RUN <<-E\n\ta\n\t\tb\n\tE", "a\nb\n"),
        ("RUN <<'E'\na\nE", "a\n"),
        ("RUN << E\na\nE", "a\n"),
        ("RUN <<A cat\n1\nA", "<<A cat\n1\nA"),
        ("RUN a <<A <<-B\n1\nA\n\t2\n\tB", "a <<A <<-B\n1\nA\n\t2\nB"),
        ("RUN <<E\nE", ""),
    ],
)
def test_the_shell_gets_the_body_or_line_and_bodies(line: str, command: str) -> None:
    assert last_run(target(f"FROM busybox\n{line}")).args == (*SHELL, command)


def test_a_body_with_an_interpreter_is_a_program_of_the_step() -> None:
    run = last_run(target("FROM busybox\nRUN <<X\n#!/bin/python\nx\nX"))
    assert run.args == (*SHELL, "/dev/pipes/X")
    assert run.scripts == (ScriptMount(target="/dev/pipes/X", content="#!/bin/python\nx\n"),)


def test_another_body_of_a_script_is_another_step() -> None:
    texts = (f"FROM busybox\nRUN <<X\n#!/bin/{name}\nX" for name in "ab")
    first, second = (target(text).vertex for text in texts)
    assert first is not None and second is not None
    assert first.digest != second.digest


def test_a_script_cannot_be_put_outside_of_its_directory() -> None:
    assert "cannot be the name of a script" in message("FROM busybox\nRUN <<../x\n#!x\n../x")


def test_progress_shows_the_first_line_of_the_only_heredoc() -> None:
    built = target("FROM busybox\nRUN <<E\n  one\ntwo\nE\nRUN <<E\nonly\nE\nRUN cat <<E\nx\nE")
    assert names(built)[1:] == ["[2/4] RUN <<E (one...)", "[3/4] RUN <<E (only)", "[4/4] RUN cat <<E"]


def test_history_shows_what_the_shell_was_given() -> None:
    built = target("FROM busybox\nRUN <<EOF\necho a\nEOF\nCOPY --chmod=600 <<'F1' p <<-F2 /d/\nF1\nF2")
    assert history(built) == [
        "RUN /bin/sh -c echo a\n # buildkit",
        "COPY --chmod=600 p <<F1 <<F2 /d/ # buildkit",
    ]


def test_paths_are_copied_before_inline_files_are_made() -> None:
    actions = last_file(target("FROM busybox\nCOPY <<F p /d/\nx\nF")).actions
    assert [type(action) for action in actions] == [Copy, MakeFile]


def test_inline_files_alone_need_no_context() -> None:
    built = target("FROM busybox\nADD --chown=1:2 --chmod=u+x <<F /d/\nx\nF")
    assert last(built).actions == (  # type: ignore[union-attr]
        MakeFile(name="F", content="x\n", destination="/d/", mode="u+x", owner=Owner(1, 2)),
    )
    assert len(built.vertex.inputs) == 1  # type: ignore[union-attr]


def test_variables_of_an_unquoted_body_are_replaced_and_quotes_stay() -> None:
    (file,) = made('ENV A=1 Q=\'"\'\nCOPY <<F /d\n\'$A\' "${A}" \\$A \\\\ a\\\nb ${U:-"x"}$Q$U\nF')
    assert file.content == '\'1\' "1" $A \\ a\nb "x""\n'


def test_the_body_of_a_quoted_name_is_taken_as_it_is() -> None:
    (file,) = made("ENV A=1\nCOPY <<'F' /d\n$A \\$\nF")
    assert file.content == "$A \\$\n"


def test_tabs_are_cut_before_variables_are_replaced() -> None:
    (file,) = made("ENV A='\t1'\nCOPY <<-F /d\n\t$A\n\tF")
    assert file.content == "\t1\n"


def test_of_two_bodies_with_one_name_the_second_counts() -> None:
    assert [file.content for file in made("COPY <<F <<F /d\n1\nF\n2\nF")] == ["2\n", "2\n"]


def test_the_epoch_dates_inline_files() -> None:
    built = target("FROM busybox\nCOPY <<F /d\nF", build_args={"SOURCE_DATE_EPOCH": "7"})
    (file,) = last_file(built).actions
    assert isinstance(file, MakeFile) and file.mtime == 7


@pytest.mark.parametrize("name", ["a/b", "..", "."])
def test_an_inline_file_has_the_name_of_a_file(name: str) -> None:
    assert "cannot be the name of an inline file" in message(f"FROM busybox\nCOPY <<{name} /d/\n{name}")


def test_a_body_that_cannot_be_expanded_is_an_error_with_its_heredoc() -> None:
    text = 'FROM busybox\nCOPY <<F /d\n${A:?none"s}\nF'
    assert message(text) == 'failed to process "F": A: none"s'


@given(st.text(st.characters(exclude_characters="$\\", exclude_categories=("Cs",))))
def test_a_document_without_variables_and_escapes_is_itself(text: str) -> None:
    assert expand_document(text + "$A", {"A": "'x'"}, name="F") == text + "'x'"
