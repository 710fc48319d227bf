"""Foreign output on its way to a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.progress.text import LineBuffer, one_line, printable


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPdevice\x1b\\after", "after"),
        ("\x1bcreset", "reset"),
        ("bell\x07 back\x08space", "bell backspace"),
        ("c1 \x9b31mred", "c1 31mred"),
        ("tab\tstays", "tab\tstays"),
        ("\u202egnp.exe", "gnp.exe"),
    ],
)
def test_control_sequences_never_reach_the_terminal(raw: str, shown: str) -> None:
    assert printable(raw) == shown


@given(st.text(alphabet=st.sampled_from("\x1b[]P\\;m0\x07\x9b\x00ab\r\n\t")))
def test_no_text_leaves_an_escape_behind(raw: str) -> None:
    assert not set(printable(raw)) & set("\x1b\x07\x9b\x00\r")


@given(st.text())
def test_a_name_never_takes_more_than_one_line(raw: str) -> None:
    assert len(one_line(raw).splitlines()) <= 1


@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        (b"one\ntwo\n", ["one", "two"]),
        (b"dos\r\nline\r\n", ["dos", "line"]),
        (b"10%\r50%\r100%\n", ["100%"]),
        (b"10%\r50%\r\n", ["50%"]),
        (b"\n\n", ["", ""]),
        (b"\xff\xfe\n", ["\ufffd\ufffd"]),
    ],
)
def test_a_line_is_shown_in_its_last_state(raw: bytes, lines: list[str]) -> None:
    assert LineBuffer().feed(raw) == lines


@given(st.lists(st.binary(max_size=20)))
def test_lines_do_not_depend_on_how_the_bytes_were_cut(chunks: list[bytes]) -> None:
    cut, whole = LineBuffer(), LineBuffer()
    pieces = [line for chunk in chunks for line in cut.feed(chunk)] + cut.flush()

    assert pieces == whole.feed(b"".join(chunks)) + whole.flush()


def test_a_line_without_end_is_given_out_before_it_fills_memory() -> None:
    buffer = LineBuffer()

    given_out = sum(len(line) for _ in range(40) for line in buffer.feed(b"x" * 10_000))

    assert given_out > 300_000
