"""The event stream: times, order, outcomes, and the limit on output."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from recorder import Recorder, digest

from builder.progress import events as e
from builder.progress.stream import Stream
from builder.system.errors import Cancelled, DockyardError

if TYPE_CHECKING:
    from builder.progress.events import Event


def test_events_carry_seconds_since_the_build_began(build: Recorder) -> None:
    build.wait(1.5).stream.started(digest(1), "a")

    assert build.events == [e.VertexStarted(at=1.5, digest=digest(1), name="a")]


def test_a_block_that_ends_well_completes_its_vertex(build: Recorder) -> None:
    with build.stream.vertex(digest(1), "a"):
        build.wait(2)

    assert build.events[-1] == e.VertexCompleted(at=2.0, digest=digest(1), seconds=2.0)


def test_a_block_that_raises_fails_its_vertex_with_the_message_alone(build: Recorder) -> None:
    with pytest.raises(DockyardError), build.stream.vertex(digest(1), "a"):
        raise DockyardError("no such file", hint="make one")

    assert build.events[-1] == e.VertexFailed(at=0.0, digest=digest(1), error="no such file")


@pytest.mark.parametrize("stop", [Cancelled, KeyboardInterrupt])
def test_a_block_that_is_stopped_cancels_its_vertex(build: Recorder, stop: type[BaseException]) -> None:
    with pytest.raises(stop), build.stream.vertex(digest(1), "a"):
        raise stop

    assert isinstance(build.events[-1], e.VertexCanceled)


def test_output_beyond_the_limit_is_replaced_by_one_notice() -> None:
    build = Recorder(log_limit=4 << 10)
    for _ in range(3):
        build.stream.log(digest(1), 1, b"x" * 3000)

    shown = b"".join(event.data for event in build.events if isinstance(event, e.VertexLog))
    assert shown == b"x" * 4096 + b"\n[output clipped, log limit 4KiB reached]\n"


def test_a_failed_step_shows_the_end_of_what_was_clipped() -> None:
    build = Recorder(log_limit=10)
    build.stream.log(digest(1), 1, b"0123456789" + b"noise\n" * 20_000 + b"the reason\n")
    build.stream.failed(digest(1), "exit code: 1")

    *_, tail, failed = build.events
    assert isinstance(tail, e.VertexLog)
    assert tail.data.endswith(b"noise\nthe reason\n")
    assert len(tail.data) <= 64 << 10
    assert isinstance(failed, e.VertexFailed)


def test_a_new_run_of_a_vertex_has_a_limit_of_its_own() -> None:
    build = Recorder(log_limit=3)
    for _ in range(2):
        build.stream.log(digest(1), 1, b"abc")
        build.stream.completed(digest(1))

    assert [event.data for event in build.events if isinstance(event, e.VertexLog)] == [b"abc", b"abc"]


def test_events_of_many_threads_arrive_one_at_a_time_in_order_of_time() -> None:
    inside: list[int] = []
    seen: list[Event] = []

    def sink(event: Event) -> None:
        inside.append(1)
        assert len(inside) == 1
        seen.append(event)
        inside.pop()

    stream = Stream(sink)
    threads = [
        threading.Thread(target=lambda: [stream.log(digest(1), 1, b"x") for _ in range(200)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(seen) == 800
    assert [event.at for event in seen] == sorted(event.at for event in seen)


def test_the_end_of_a_build_names_its_result(build: Recorder) -> None:
    build.stream.finished(digest(9))

    assert build.events == [e.BuildFinished(at=0.0, digest=digest(9))]
