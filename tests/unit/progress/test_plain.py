"""The plain renderer: the lines that buildx users and their log parsers know."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

from recorder import Recorder, digest

from builder.progress.plain import PlainRenderer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from builder.progress.events import Event


def plain(events: Iterable[Event]) -> str:
    written: list[str] = []
    renderer = PlainRenderer(written.append)
    for event in events:
        renderer.show(event)
    renderer.close()
    return "".join(written)


def text(block: str) -> str:
    return dedent(block).lstrip("\n")


def test_a_vertex_is_printed_with_number_name_logs_and_time(build: Recorder) -> None:
    stream = build.stream
    stream.started(digest(1), "[stage 2/5] RUN make")
    build.wait(0.123)
    stream.log(digest(1), 1, b"compiling\n")
    build.wait(0.2)
    stream.completed(digest(1))

    assert plain(build.events) == text("""
        #1 [stage 2/5] RUN make
        #1 0.123 compiling
        #1 DONE 0.3s
        """)


def test_blocks_of_vertices_are_separated_by_an_empty_line(build: Recorder) -> None:
    build.stream.cached(digest(1), "[1/2] FROM busybox")
    build.wait(1)
    build.stream.cached(digest(2), "[2/2] RUN true")

    assert plain(build.events) == text("""
        #1 [1/2] FROM busybox
        #1 CACHED

        #2 [2/2] RUN true
        #2 CACHED
        """)


def test_leaving_a_running_vertex_is_marked_and_coming_back_names_it_again(build: Recorder) -> None:
    stream = build.stream
    stream.started(digest(1), "RUN slow")
    build.wait(1)
    stream.started(digest(2), "RUN quick")
    build.wait(1)
    stream.completed(digest(2))
    build.wait(1)
    stream.completed(digest(1))

    assert plain(build.events) == text("""
        #1 RUN slow
        #1 ...

        #2 RUN quick
        #2 DONE 1.0s

        #1 RUN slow
        #1 DONE 3.0s
        """)


def test_a_vertex_that_waits_for_five_seconds_gets_the_floor(build: Recorder) -> None:
    stream = build.stream
    stream.started(digest(1), "RUN a")
    build.wait(1)
    stream.started(digest(2), "RUN b")
    build.wait(1)
    stream.log(digest(2), 1, b"from b\n")
    stream.log(digest(1), 1, b"from a\n")
    build.wait(5)
    stream.log(digest(1), 1, b"again a\n")

    assert plain(build.events) == text("""
        #1 RUN a
        #1 2.000 from a
        #1 7.000 again a
        #1 ...

        #2 RUN b
        #2 1.000 from b
        """)


def test_vertices_that_end_within_a_tenth_of_a_second_come_out_whole(build: Recorder) -> None:
    stream = build.stream
    build.wait(0.01)
    stream.started(digest(1), "COPY a")
    stream.started(digest(2), "COPY b")
    stream.completed(digest(2))
    build.wait(0.01)
    stream.completed(digest(1))

    assert plain(build.events) == text("""
        #2 COPY b
        #2 DONE 0.0s

        #1 COPY a
        #1 DONE 0.0s
        """)


def test_log_times_lose_digits_as_they_grow(build: Recorder) -> None:
    build.stream.started(digest(1), "RUN x")
    for seconds in (9.5, 10, 100):
        build.wait(seconds).stream.log(digest(1), 1, b"x\n")

    assert plain(build.events).splitlines()[1:] == ["#1 9.500 x", "#1 19.50 x", "#1 119.5 x"]


def test_an_unfinished_line_is_printed_when_the_vertex_ends(build: Recorder) -> None:
    build.stream.started(digest(1), "RUN x")
    build.stream.log(digest(1), 1, b"no new")
    build.stream.log(digest(1), 1, b"line")
    build.stream.completed(digest(1))

    assert "#1 0.000 no newline\n#1 DONE" in plain(build.events)


def test_a_failed_step_repeats_its_name_and_last_lines_at_the_end(build: Recorder) -> None:
    build.stream.started(digest(1), "[2/2] RUN false")
    for number in range(12):
        build.stream.log(digest(1), 2, b"line %d\n" % number)
    build.stream.failed(digest(1), 'process "/bin/sh -c false" did not complete successfully: exit code: 1')

    ending = plain(build.events).split("#1 ERROR: ")[1].splitlines()
    assert ending[0] == 'process "/bin/sh -c false" did not complete successfully: exit code: 1'
    assert ending[1:4] == ["------", " > [2/2] RUN false:", "0.000 line 2"]
    assert ending[-2:] == ["0.000 line 11", "------"]


def test_a_canceled_vertex_is_marked_and_not_reported_as_failed(build: Recorder) -> None:
    build.stream.started(digest(1), "RUN sleep")
    build.stream.canceled(digest(1))

    assert plain(build.events) == "#1 RUN sleep\n#1 CANCELED\n"


def test_a_transfer_is_printed_at_its_start_at_each_step_and_when_done(build: Recorder) -> None:
    stream = build.stream
    stream.started(digest(1), "[internal] load build context")
    for current in (0, 10, 1000, 2048):
        stream.status(digest(1), "transferring context:", current=current, total=2048)
        build.wait(0.25)
    stream.status(digest(1), "transferring context:", current=2048, total=2048, done=True)

    assert plain(build.events).splitlines()[1:] == [
        "#1 transferring context: 0B / 2.05kB",
        "#1 transferring context: 1.00kB / 2.05kB 0.5s",
        "#1 transferring context: 2.05kB / 2.05kB 0.8s",
        "#1 transferring context: 2.05kB / 2.05kB 1.0s done",
    ]


def test_a_transfer_without_bytes_shows_its_label_and_state(build: Recorder) -> None:
    build.stream.started(digest(1), "exporting to image")
    build.stream.status(digest(1), "writing index", done=True)

    assert plain(build.events).splitlines()[1] == "#1 writing index done"


def test_warnings_stand_with_their_vertex_and_are_summed_up_at_the_end(build: Recorder) -> None:
    build.stream.started(digest(1), "[internal] load build definition from Dockerfile")
    build.stream.warning(digest(1), "StageNameCasing: Stage name 'A' should be lowercase")
    build.stream.completed(digest(1))

    lines = plain(build.events).splitlines()
    assert lines[1] == "#1 WARN: StageNameCasing: Stage name 'A' should be lowercase"
    assert lines[-3:] == [
        "",
        " 1 warning found (use dockyard --debug to expand):",
        " - StageNameCasing: Stage name 'A' should be lowercase",
    ]


def test_a_step_cannot_forge_a_line_of_the_builder_in_its_name(build: Recorder) -> None:
    build.stream.cached(digest(1), "RUN x\n#2 \x1b[2JDONE 0.0s")

    assert plain(build.events) == "#1 RUN x #2 DONE 0.0s\n#1 CACHED\n"


def test_a_vertex_that_starts_again_keeps_its_number(build: Recorder) -> None:
    for _ in range(2):
        build.stream.started(digest(1), "RUN x")
        build.wait(1).stream.completed(digest(1))

    assert plain(build.events).splitlines() == ["#1 RUN x", "#1 DONE 1.0s", "", "#1 RUN x", "#1 DONE 1.0s"]


def test_time_alone_brings_out_lines_that_were_held_back() -> None:
    written: list[str] = []
    renderer = PlainRenderer(written.append)
    build = Recorder()
    build.stream.started(digest(1), "RUN x")
    build.stream.log(digest(1), 1, b"hello\n")
    for event in build.events:
        renderer.show(event)
    assert written == []

    renderer.tick(0.2)

    assert written == ["#1 RUN x\n#1 0.000 hello\n"]
