"""The lines of an ignore file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend import read_ignore_file
from frontend.dockerfile.errors import DockerfileError
from frontend.dockerfile.lines import MAX_FILE


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        ("a", "a"),
        ("  a  ", "a"),
        ("./a", "a"),
        ("a/", "a"),
        ("a/b/..", "a"),
        ("a//b", "a/b"),
        ("/a", "a"),
        ("//a", "a"),
        ("/", "/"),
        (".", "."),
        ("../a", "../a"),
        ("!a", "!a"),
        ("! a/", "!a"),
        ("!/a", "!a"),
        (" #x", "#x"),
        ("a # b", "a # b"),
        ("a\r", "a"),
        ("\ufeffa", "a"),
    ],
)
def test_a_line_is_cleaned_into_a_pattern(line: str, pattern: str) -> None:
    assert read_ignore_file(line.encode()) == (pattern,)


def test_comments_and_empty_lines_are_no_patterns() -> None:
    assert read_ignore_file(b"# x\n\n  \na\n#b\n!c\n") == ("a", "!c")
    assert read_ignore_file(b"") == ()


def test_bytes_that_are_no_text_do_not_get_into_the_graph() -> None:
    assert read_ignore_file(b"a\xff") == ("a\ufffd",)


@pytest.mark.parametrize("content", [b"!", b"a\n ! \n", b"!/", b"! //"])
def test_an_exception_from_nothing_is_refused(content: bytes) -> None:
    with pytest.raises(DockerfileError, match='illegal exclusion pattern: "!"'):
        read_ignore_file(content)


@pytest.mark.parametrize("content", [b"a" * 65536, b"a\n" * (MAX_FILE // 2 + 1)])
def test_lines_and_files_beyond_all_measure_are_refused(content: bytes) -> None:
    with pytest.raises(DockerfileError, match=r"failed parsing x\.dockerignore: "):
        read_ignore_file(content, name="x.dockerignore")


@given(st.binary(max_size=60))
def test_any_bytes_give_patterns_or_an_error(content: bytes) -> None:
    try:
        patterns = read_ignore_file(content)
    except DockerfileError as error:
        assert "illegal exclusion" in error.message
    else:
        assert all(pattern and pattern == pattern.strip("\n") for pattern in patterns)
