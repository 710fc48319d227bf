"""What a terminal shows of a build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from recorder import Recorder, digest

from builder.progress.rows import layout
from builder.progress.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from builder.progress.events import Event


def screen(events: Iterable[Event], *, now: float, width: int = 40, height: int | None = 24) -> list[str]:
    trace = Trace()
    for event in events:
        trace.apply(event)
    return [row.text for row in layout(trace, now=now, width=width, height=height)]


def test_a_running_vertex_shows_its_time_and_its_last_six_lines(build: Recorder) -> None:
    build.stream.queued(digest(2), "later")
    build.stream.started(digest(1), "[2/2] RUN make")
    for number in range(8):
        build.stream.log(digest(1), 1, b"line %d\n" % number)

    assert screen(build.events, now=1.24) == [
        "[+] Building 1.2s (0/2)",
        " => [2/2] RUN make                  1.2s",
        *(f" => => # 0.000 line {number}" for number in range(2, 8)),
    ]


def test_an_ended_vertex_is_one_line_with_how_it_ended(build: Recorder) -> None:
    build.stream.cached(digest(1), "FROM a")
    build.stream.started(digest(2), "RUN b")
    build.stream.log(digest(2), 1, b"noise\n")
    build.wait(2).stream.completed(digest(2))
    build.stream.started(digest(3), "RUN c")
    build.stream.failed(digest(3), "exit code: 1")
    build.stream.started(digest(4), "RUN d")
    build.stream.canceled(digest(4))

    assert screen(build.events, now=2)[1:] == [
        " => CACHED FROM a                   0.0s",
        " => RUN b                           2.0s",
        " => ERROR RUN c                     0.0s",
        " => CANCELED RUN d                  0.0s",
    ]


def test_parts_of_the_work_are_shown_below_their_vertex(build: Recorder) -> None:
    build.stream.started(digest(1), "[internal] load build context")
    build.stream.status(digest(1), "transferring context:", current=1000, total=4000)

    assert screen(build.events, now=0.5, width=60)[2] == (
        " => => transferring context: 1.00kB / 4.00kB            0.5s"
    )


def test_the_header_says_finished_when_everything_has_ended(build: Recorder) -> None:
    build.stream.cached(digest(1), "a")
    build.stream.finished(digest(1))

    assert screen(build.events, now=1)[0] == "[+] Building 1.0s (1/1) FINISHED"


def test_a_low_terminal_drops_the_oldest_finished_vertices_first(build: Recorder) -> None:
    build.stream.started(digest(0), "RUN running")
    for number in range(1, 6):
        build.stream.cached(digest(number), f"step {number}")

    shown = screen(build.events, now=1, height=6)

    assert [row.split("  ")[0] for row in shown[1:]] == [
        " => RUN running", " => CACHED step 3", " => CACHED step 4", " => CACHED step 5",
    ]  # fmt: skip


def test_a_low_terminal_prefers_vertices_to_their_output(build: Recorder) -> None:
    for number in range(3):
        build.stream.started(digest(number), f"RUN {number}")
        build.stream.log(digest(number), 1, b"a\nb\nc\n")

    shown = screen(build.events, now=1, height=5)

    assert [row.split("  ")[0] for row in shown[1:]] == [" => RUN 0", " => RUN 1", " => RUN 2"]


@given(width=st.integers(1, 200), height=st.integers(1, 50), count=st.integers(0, 60), name=st.text())
def test_rows_always_fit_the_terminal(width: int, height: int, count: int, name: str) -> None:
    build = Recorder()
    for number in range(count):
        build.stream.started(digest(number), name)
        build.stream.log(digest(number), 1, name.encode(errors="replace") + b"\n")

    rows = screen(build.events, now=1e5, width=width, height=height)

    assert len(rows) <= max(height, 1)
    assert all(len(row) <= max(width, 20) for row in rows)


def test_the_last_picture_shows_every_vertex_whatever_the_height(build: Recorder) -> None:
    for number in range(100):
        build.stream.cached(digest(number), "step")

    assert len(screen(build.events, now=1, height=None)) == 101
