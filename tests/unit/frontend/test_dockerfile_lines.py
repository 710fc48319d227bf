"""Logical lines: what of the bytes is one instruction."""

from __future__ import annotations

import pytest
from dockerfiles import message, read

from frontend.dockerfile.directives import Directives
from frontend.dockerfile.errors import DockerfileError, NotSupported
from frontend.dockerfile.lines import MAX_FILE, LogicalLine, logical_lines, read_source
from frontend.dockerfile.parse import parse


def lines_of(content: bytes, escape: str = "\\") -> list[LogicalLine]:
    source = read_source("Dockerfile", content)
    physical = source.text.removesuffix("\n").split("\n")
    return list(logical_lines(source, physical, Directives(escape=escape)))


def texts(content: bytes) -> list[str]:
    return [line.text for line in lines_of(content)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"RUN a \\\n# c\n b", ["RUN a  b"], id="comment in a continuation"),
        pytest.param(b"RUN a \\\n\nb", ["RUN a b"], id="empty line in a continuation"),
        pytest.param(b"RUN a \\", ["RUN a"], id="continuation at the end of the file"),
        pytest.param(b"RUN a \\\\\nb", ["RUN a \\\\", "b"], id="two escapes are no continuation"),
        pytest.param(b"RUN a \\\\\\\nb", ["RUN a \\\\\\", "b"], id="three escapes are none either"),
        pytest.param(b"RUN a \\  \t\nb", ["RUN a b"], id="blanks behind the escape"),
        pytest.param(b"RUN a\\\n  b", ["RUN a  b"], id="continuations keep their blanks"),
        pytest.param(b"  # c\nRUN a", ["RUN a"], id="indented comment"),
        pytest.param(b"RUN a # c", ["RUN a # c"], id="a hash inside a line is data"),
        pytest.param(b"RUN a\r\nRUN b\r\n", ["RUN a", "RUN b"], id="carriage returns at line ends"),
        pytest.param(b"RUN a\rRUN b", ["RUN a\rRUN b"], id="a lone carriage return ends nothing"),
        pytest.param(b"\xef\xbb\xbfRUN a", ["RUN a"], id="byte order mark"),
        pytest.param(b"\xc2\xa0 RUN a", ["RUN a"], id="leading white space of any kind"),
        pytest.param(b"\n \n\t\nRUN a\n\n", ["RUN a"], id="empty lines between"),
        pytest.param(b"RUN caf\xff", ["RUN caf\ufffd"], id="bytes that are no text"),
    ],
)
def test_physical_lines_join_to_instructions(content: bytes, expected: list[str]) -> None:
    assert texts(content) == expected


def test_an_instruction_spans_all_lines_that_it_was_read_from() -> None:
    first, second = lines_of(b"\nRUN a \\\n# c\n\n b\nRUN c")
    assert (first.location.first, first.location.last) == (2, 5)
    assert (second.location.first, second.location.last) == (6, 6)


def test_an_empty_line_inside_an_instruction_is_remembered() -> None:
    assert [line.empty_continuation for line in lines_of(b"RUN a \\\n\nb\n\nRUN c")] == [True, False]


@pytest.mark.parametrize(
    ("content", "comments"),
    [
        pytest.param(b"# a\n# b\nRUN x", ("a", "b"), id="all that stand before"),
        pytest.param(b"# a\n\nRUN x", ("a",), id="an empty line does not detach"),
        pytest.param(b"# a\n#\n# b\nRUN x", ("b",), id="an empty comment takes back"),
        pytest.param(b" # a\nRUN x", ("# a",), id="of an indented one only the blank goes"),
    ],
)
def test_comments_belong_to_the_instruction_behind_them(content: bytes, comments: tuple[str, ...]) -> None:
    assert lines_of(content)[0].comments == comments


def test_comments_go_to_one_instruction_only() -> None:
    assert [line.comments for line in lines_of(b"# a\nRUN x\nRUN y")] == [("a",), ()]


def test_a_line_of_65535_bytes_is_the_longest_one() -> None:
    assert texts(b"RUN " + b"a" * 65531 + b"\n") == ["RUN " + "a" * 65531]


def test_a_longer_line_is_refused_with_its_number() -> None:
    with pytest.raises(DockerfileError, match="line greater than max allowed size of 65535") as caught:
        read_source("Dockerfile", b"FROM a\nRUN " + b"a" * 65532)
    assert caught.value.location is not None
    assert caught.value.location.first == 2


def test_a_joined_line_may_be_longer_than_that() -> None:
    (text,) = texts(b"RUN " + (b"a" * 60000 + b"\\\n") * 2 + b"b")
    assert len(text) == 120005


def test_a_file_beyond_all_measure_is_refused() -> None:
    with pytest.raises(DockerfileError, match="larger than the limit"):
        read_source("Dockerfile", b"\n" * (MAX_FILE + 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the Dockerfile cannot be empty"),
        ("# only\n\n", "file with no instructions"),
        ("ARG A=1", "dockerfile contains no stages to build"),
        ("RUN a", "no build stage in current context"),
        ("ARG A=1\nRUN a\nFROM b", "no build stage in current context"),
    ],
)
def test_a_file_without_stages_is_refused(text: str, expected: str) -> None:
    assert message(text) == expected


@pytest.mark.parametrize(
    ("top", "escape"),
    [
        ("# escape=`", "`"),
        ("# Escape = ` ", "`"),
        ("  #escape=`", "`"),
        ("# syntax=docker/dockerfile:1\n# escape=`", "`"),
        ("#escape=\\", "\\"),
        pytest.param("\n# escape=`", "\\", id="an empty line ends the directives"),
        pytest.param("# words\n# escape=`", "\\", id="a comment ends the directives"),
        pytest.param("# foo=bar\n# escape=`", "\\", id="an unknown name ends the directives"),
        pytest.param("# escape=\n# escape=`", "\\", id="a missing value ends the directives"),
        pytest.param("#!/bin/x\n# escape=`", "\\", id="a hashbang ends the directives"),
    ],
)
def test_the_escape_directive_counts_at_the_top(top: str, escape: str) -> None:
    assert parse("Dockerfile", f"{top}\nFROM a".encode()).directives.escape == escape


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        ("#escape=a", "invalid escape token 'a' does not match ` or \\"),
        ("# escape=`\n# escape=`", "only one escape parser directive can be used"),
        ("# syntax=docker/dockerfile\n# SYNTAX=b", "only one syntax parser directive can be used"),
    ],
)
def test_wrong_directives_are_refused(top: str, expected: str) -> None:
    assert message(f"{top}\nFROM a") == expected


def test_directives_are_no_comments_of_the_first_instruction() -> None:
    parsed = parse("Dockerfile", b"# syntax=docker/dockerfile:1\n# about a\nFROM a")
    assert parsed.stages[0].origin.comments == ("about a",)


@pytest.mark.parametrize(
    "name",
    ["docker/dockerfile", "docker/dockerfile:1.7-labs", "docker.io/docker/dockerfile@sha256:00",
     "docker/dockerfile-upstream:master", "docker/dockerfile:1 and words"],
)  # fmt: skip
def test_the_official_frontend_means_this_one(name: str) -> None:
    assert len(read(f"# syntax={name}\nFROM busybox").targets) == 1


@pytest.mark.parametrize(
    "text",
    [
        "# syntax=example/frontend:2\nwhatever this is",
        "// syntax=example/frontend:2\n{}",
        "#!/usr/bin/env build\n# syntax=example/frontend:2\nFROM a",
        '{"syntax": "example/frontend:2"}',
    ],
)
def test_another_frontend_is_refused_by_name(text: str) -> None:
    assert message(text) == "frontend image example/frontend:2 is not supported"


def test_the_build_argument_for_the_frontend_beats_the_directive() -> None:
    with pytest.raises(NotSupported, match="example/other"):
        read("# syntax=docker/dockerfile\nFROM busybox", build_args={"BUILDKIT_SYNTAX": "example/other"})
    assert read("# syntax=example/a\nFROM busybox", build_args={"BUILDKIT_SYNTAX": "dockerfile.v0"}).targets
