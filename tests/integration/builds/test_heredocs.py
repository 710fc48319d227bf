"""Heredocs in real builds: commands, scripts and inline files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from building import Project

pytestmark = pytest.mark.root


def test_a_body_is_run_by_the_shell_of_the_stage(project: Project) -> None:
    image = project.image("FROM busybox\nENV N=world\nRUN <<EOF\necho hello > /x\necho $N >> /x\nEOF\n")
    assert image.text("x") == "hello\nworld\n"


def test_a_script_runs_under_its_interpreter_and_leaves_no_trace(project: Project) -> None:
    text = 'FROM busybox\nRUN <<script\n#!/usr/bin/awk -f\nBEGIN { print "awk" > "/x" }\nscript\n'
    image = project.image(text)
    assert image.text("x") == "awk\n"
    assert [path for path in image.files if "pipes" in path] == []


def test_a_script_is_read_only_for_the_step(project: Project) -> None:
    text = "FROM busybox\nRUN <<E\n#!/bin/sh\n(echo x > $0) 2> /dev/null || echo kept > /x\nE\n"
    assert project.image(text).text("x") == "kept\n"


def test_a_changed_script_runs_again_and_an_unchanged_one_does_not(project: Project) -> None:
    text = "FROM busybox\nRUN <<E\n#!/bin/sh\necho {} > /x\nE\n"
    project.build(text.format("one"), "-t", "x")
    assert len(project.build(text.format("one"), "-t", "x").cached) == 1
    assert len(project.build(text.format("two"), "-t", "x").executed) == 1


def test_the_shell_reads_heredocs_that_belong_to_a_command(project: Project) -> None:
    text = "FROM busybox\nENV A=1\nRUN cat <<X > /x; cat <<'Y' > /y\n$A\nX\n$A\nY\n"
    image = project.image(text)
    assert (image.text("x"), image.text("y")) == ("1\n", "$A\n")


def test_inline_files_stand_where_copied_files_would(project: Project) -> None:
    project.write("plain", "p")
    text = (
        "FROM busybox\nENV A=1\nCOPY --chown=33:34 --chmod=600 plain <<F <<'G' /d/\n\"$A\"\nF\n$A\nG\n"
        "COPY <<-F /bin\n\tin a directory\n\tF\nADD <<F /named\nx\nF\n"
    )
    image = project.image(text)
    assert (image.text("d/F"), image.text("d/G"), image.text("d/plain")) == ('"1"\n', "$A\n", "p")
    assert (image.text("bin/F"), image.text("named")) == ("in a directory\n", "x\n")
    member = image.files["d/F"]
    assert (oct(member.mode), member.uid, member.gid) == ("0o600", 33, 34)
    assert oct(image.files["named"].mode) == "0o644"


def test_inline_files_can_be_linked_and_need_no_context(project: Project) -> None:
    image = project.image("FROM busybox\nCOPY --link <<F /new/\nx\nF\nRUN cat /new/F > /y\n")
    assert image.text("y") == "x\n"


def test_a_changed_body_is_another_file_and_another_variable_too(project: Project) -> None:
    text = "FROM busybox\nARG V\nCOPY <<F /f\nv${V}\nF\n"
    assert project.image(text, "--build-arg", "V=1").text("f") == "v1\n"
    assert project.image(text, "--build-arg", "V=2").text("f") == "v2\n"
    assert len(project.build(text, "-t", "x", "--build-arg", "V=1").cached) == 1
