"""Renderers other than plain, how one is chosen, and what drives it."""

from __future__ import annotations

import base64
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from recorder import Recorder, digest

from builder.graph.location import Location, SourceFile
from builder.progress.modes import choose_mode, open_renderer
from builder.progress.plain import PlainRenderer
from builder.progress.rawjson import RawJsonRenderer
from builder.progress.renderer import Display, Silent
from builder.progress.stream import Stream
from builder.progress.tty import TtyRenderer
from builder.progress.units import format_binary, format_bytes
from builder.system.errors import UsageError

if TYPE_CHECKING:
    from builder.progress.events import Event

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def raw_json(build: Recorder) -> list[dict[str, list[dict[str, object]]]]:
    written: list[str] = []
    renderer = RawJsonRenderer(written.append, began=BEGAN)
    for event in build.events:
        renderer.show(event)
    return [json.loads(line) for line in written]


def test_a_completed_vertex_is_sent_whole_with_its_times(build: Recorder) -> None:
    build.stream.started(digest(1), "RUN x")
    build.wait(2).stream.completed(digest(1))

    assert raw_json(build)[-1] == {
        "vertexes": [
            {
                "digest": digest(1),
                "name": "RUN x",
                "started": "2026-01-02T03:04:05Z",
                "completed": "2026-01-02T03:04:07Z",
            }
        ]
    }


def test_outcomes_are_told_apart_by_the_members_of_the_vertex(build: Recorder) -> None:
    build.stream.cached(digest(1), "a")
    build.stream.failed(digest(2), "exit code: 1")
    build.stream.canceled(digest(3))

    cached, failed, canceled = (status["vertexes"][0] for status in raw_json(build))
    assert cached["cached"] is True
    assert failed["error"] == "exit code: 1"
    assert canceled["error"] == "context canceled"


def test_log_data_is_sent_as_it_came_in_base64(build: Recorder) -> None:
    build.stream.log(digest(1), 2, b"\x1b[31m\xff\n")

    (log,) = raw_json(build)[0]["logs"]
    assert base64.b64decode(str(log["data"])) == b"\x1b[31m\xff\n"
    assert (log["vertex"], log["stream"]) == (digest(1), 2)


def test_a_transfer_is_sent_with_start_and_end(build: Recorder) -> None:
    build.stream.status(digest(1), "layer", current=1, total=9)
    build.wait(1).stream.status(digest(1), "layer", current=9, total=9, done=True)

    (status,) = raw_json(build)[-1]["statuses"]
    assert (status["started"], status["completed"]) == ("2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z")
    assert (status["id"], status["current"], status["total"]) == ("layer", 9, 9)


def test_a_warning_is_sent_in_base64_with_its_address(build: Recorder) -> None:
    build.stream.warning(digest(1), "Rule: bad", detail=("why",), url="https://example.org")

    (warning,) = raw_json(build)[0]["warnings"]
    assert base64.b64decode(str(warning["short"])) == b"Rule: bad"
    assert warning["url"] == "https://example.org"


def test_a_terminal_ends_with_every_vertex_and_the_failed_steps_output(build: Recorder) -> None:
    terminal = io.StringIO()
    renderer = TtyRenderer(terminal)
    build.stream.cached(digest(1), "[1/2] FROM [bold]base[/bold]")
    build.stream.started(digest(2), "[2/2] RUN false")
    build.stream.log(digest(2), 1, b"oh \x1b]0;no\x07dear\n")
    build.stream.failed(digest(2), "exit code: 1")
    for event in build.events:
        renderer.show(event)
    renderer.tick(1.0)
    renderer.close()

    shown = terminal.getvalue()
    assert " => CACHED [1/2] FROM [bold]base[/bold]" in shown
    assert shown.endswith("------\n > [2/2] RUN false:\n0.000 oh dear\n------\n")


def test_a_build_without_events_leaves_the_terminal_untouched() -> None:
    terminal = io.StringIO()

    TtyRenderer(terminal).close()

    assert terminal.getvalue() == ""


def test_debug_expands_warnings_to_their_lines_of_the_dockerfile(build: Recorder) -> None:
    source = SourceFile("Dockerfile", "FROM a AS B\n")
    build.stream.started(digest(1), "load")
    build.stream.warning(
        digest(1), "Casing: B", detail=("use b",), url="https://x.test", location=Location(source, 1, 1)
    )
    output = io.StringIO()
    renderer = open_renderer("plain", output, debug=True)
    for event in build.events:
        renderer.show(event)
    renderer.close()

    assert " - Casing: B (line 1)\nuse b\nMore info: https://x.test\nDockerfile:1\n----" in output.getvalue()


@pytest.mark.parametrize(
    ("flag", "environ", "is_terminal", "mode"),
    [
        ("auto", {}, True, "tty"),
        ("auto", {}, False, "plain"),
        ("auto", {"BUILDKIT_PROGRESS": "plain"}, True, "plain"),
        ("auto", {"BUILDKIT_PROGRESS": "plain", "DOCKYARD_PROGRESS": "rawjson"}, True, "rawjson"),
        ("none", {"BUILDKIT_PROGRESS": "plain"}, True, "none"),
    ],
)
def test_flag_environment_and_terminal_choose_the_mode_in_this_order(
    flag: str, environ: dict[str, str], is_terminal: bool, mode: str
) -> None:
    assert choose_mode(flag, environ, is_terminal=is_terminal) == mode


@pytest.mark.parametrize(
    ("flag", "environ"), [("fancy", {}), ("auto", {"BUILDKIT_PROGRESS": "x"}), ("tty", {})]
)
def test_a_mode_that_cannot_be_is_wrong_usage(flag: str, environ: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        choose_mode(flag, environ, is_terminal=False)


def test_quiet_and_none_show_nothing_at_all(build: Recorder) -> None:
    assert isinstance(open_renderer("quiet", io.StringIO()), Silent)
    assert isinstance(open_renderer("none", io.StringIO()), Silent)


class _Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def test_a_reader_who_goes_away_does_not_stop_the_build() -> None:
    with Display(open_renderer("plain", _Gone())) as display:
        stream = Stream(display)
        for number in range(3):
            stream.cached(digest(number), "a")
        stream.finished(None)


def test_the_display_lets_time_pass_while_nothing_happens() -> None:
    ticked: list[float] = []

    class Watched(Silent):
        def tick(self, now: float) -> None:
            ticked.append(now)

    with Display(Watched(), tick_seconds=0.001) as display:
        Stream(display).started(digest(1), "RUN sleep")
        while not ticked:
            pass

    assert ticked[0] >= 0


def test_the_display_closes_its_renderer_when_the_build_fails() -> None:
    written: list[str] = []

    def fail(_event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Display(PlainRenderer(written.append)) as display:
        Stream(display).cached(digest(1), "a")
        Stream(fail).cached(digest(2), "b")

    assert written == ["#1 a\n#1 CACHED\n"]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0B"), (999, "999B"), (1049, "1.05kB"), (231_290_000, "231.29MB"), (5 * 10**18, "5000.00PB")],
)
def test_bytes_are_written_in_powers_of_a_thousand(count: int, text: str) -> None:
    assert format_bytes(count) == text


@pytest.mark.parametrize(("count", "text"), [(100, "100B"), (2 << 20, "2MiB"), (1536, "1.5KiB")])
def test_limits_are_written_in_powers_of_1024(count: int, text: str) -> None:
    assert format_binary(count) == text
