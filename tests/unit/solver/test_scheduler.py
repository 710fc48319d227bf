"""The scheduler: demand runs no further than it must, and equal work is done once."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.graph import Copy, Description, Exec, File, Local, Vertex, vertex, walk
from builder.oci.digest import Digest, encode_json
from builder.platforms import Platform
from builder.solver.results import Failed, Layered
from builder.solver.scheduler import Scheduler
from builder.solver.workers import Workers
from builder.system.errors import Cancelled, DockyardError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.solver.results import Result

AMD64 = Platform("linux", "amd64")


class Recorder:
    """Operators in memory: what was executed, and records that a test may preset."""

    def __init__(self) -> None:
        self.executed: list[str] = []
        self.attempts: list[str] = []
        self.records: dict[Digest, Result] = {}
        self.definitions: dict[Digest, Digest] = {}
        self.done: set[Digest] = set()
        self.content = "content"
        self.failing = ""

    def quick_key(self, vertex: Vertex, keys: Sequence[Digest | None], *, remembered: bool) -> Digest | None:
        if isinstance(vertex.operation, File) and (None in keys or not remembered):
            return None
        key = Digest.of(encode_json([vertex.operation, list(keys)]))
        return self.definitions.get(key) if isinstance(vertex.operation, File) else key

    def lookup(self, vertex: Vertex, key: Digest) -> Result | None:
        return self.records.get(key)

    def seen(self, key: Digest) -> bool:
        return key in self.done

    def content_key(self, vertex: Vertex, keys: Sequence[Digest | None], results: Sequence[Result]) -> Digest:
        base = None if vertex.operation.base is None else keys[vertex.operation.base]
        key = Digest.of(encode_json([vertex.operation, base, self.content]))
        if None not in keys:
            self.definitions[Digest.of(encode_json([vertex.operation, list(keys)]))] = key
        return key

    def execute(
        self, vertex: Vertex, key: Digest | None, results: Sequence[Result], *, fresh: bool
    ) -> Result:
        self.attempts.append(vertex.description.name)
        if vertex.description.name == self.failing:
            raise DockyardError("boom")
        self.executed.append(vertex.description.name)
        result = Layered()
        if key is not None:
            self.records[key] = result
            self.done.add(key)
        return result


def run(name: str, base: Vertex | None = None, *, ignore_cache: bool = False) -> Vertex:
    operation = Exec(base=None if base is None else 0, args=(name,), platform=AMD64)
    inputs = () if base is None else (base,)
    return vertex(operation, *inputs, description=Description(name=name, ignore_cache=ignore_cache))


def copy(name: str, source: Vertex, base: Vertex | None = None) -> Vertex:
    inputs = (source,) if base is None else (base, source)
    action = Copy(input=len(inputs) - 1, sources=("/" + name,), destination="/")
    operation = File(base=None if base is None else 0, actions=(action,))
    return vertex(operation, *inputs, description=Description(name=name))


CONTEXT = vertex(Local(name="context"), description=Description(name="context"))


def solve(operators: Recorder, *roots: Vertex) -> list[str]:
    operators.executed.clear()
    Scheduler(operators, Workers(4), threading.Event()).solve(roots)
    return operators.executed


def test_steps_run_after_their_inputs_and_each_once_for_all_platforms() -> None:
    shared = run("shared")
    executed = solve(Recorder(), run("a", shared), run("b", shared))
    assert executed[0] == "shared" and sorted(executed[1:]) == ["a", "b"]


def test_a_known_last_step_asks_for_nothing_below_it() -> None:
    operators, top = Recorder(), run("top", run("low"))
    solve(operators, top)
    assert solve(operators, top) == []


def test_a_copy_with_unchanged_content_stops_what_ran_again_below_it() -> None:
    operators = Recorder()
    solve(operators, run("after", copy("bin", run("build"))))
    rebuilt = run("after", copy("bin", run("build", ignore_cache=True)))
    assert solve(operators, rebuilt) == ["build"]


def test_a_copy_with_changed_content_runs_again_with_all_that_follows() -> None:
    operators, top = Recorder(), run("after", copy("src", CONTEXT))
    solve(operators, top)
    operators.content = "changed"
    assert solve(operators, top) == ["context", "src", "after"]


def test_what_stands_on_a_step_without_cache_runs_again_too() -> None:
    operators = Recorder()
    solve(operators, run("top", run("low")))
    assert solve(operators, run("top", run("low", ignore_cache=True))) == ["low", "top"]


def test_a_stage_that_is_only_copied_from_is_not_asked_when_its_definition_is_known() -> None:
    operators, top = Recorder(), copy("bin", run("build"), run("base"))
    solve(operators, top)
    assert solve(operators, top) == []


def stages(number: int) -> Vertex:
    """A stage of `number` copies, each from a stage of its own."""
    top = copy("s0", run("s0"))
    for each in range(1, number):
        top = copy(f"s{each}", run(f"s{each}"), top)
    return top


class Meeting(Recorder):
    """Operators whose stages wait for each other: none ends before all have begun."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._all_here = threading.Barrier(number, timeout=10)

    def execute(
        self, vertex: Vertex, key: Digest | None, results: Sequence[Result], *, fresh: bool
    ) -> Result:
        if isinstance(vertex.operation, Exec):
            self._all_here.wait()
        return super().execute(vertex, key, results, fresh=fresh)


def test_stages_that_one_stage_copies_from_one_after_the_other_run_side_by_side() -> None:
    executed = solve(Meeting(4), stages(4))
    assert sorted(executed[:4]) == ["s0", "s1", "s2", "s3"]


def test_stages_whose_copies_are_known_are_not_asked_although_their_records_are_gone() -> None:
    operators, top = Recorder(), stages(3)
    solve(operators, top)
    for each in range(3):
        del operators.records[Digest.of(encode_json([run(f"s{each}").operation, []]))]
    assert solve(operators, top) == []


def test_a_stage_made_of_files_of_the_caller_is_not_asked_although_its_records_are_gone() -> None:
    operators = Recorder()
    top = copy("bin", run("build", copy("src", CONTEXT)))
    top = copy("more", run("other"), top)
    solve(operators, top)
    kept = operators.records.popitem()
    operators.records.clear()
    operators.records.update([kept])
    operators.done.clear()
    assert solve(operators, top) == ["context"]


def test_a_stage_that_is_gone_is_left_alone_until_a_changed_one_shows_whether_it_is_needed() -> None:
    operators = Recorder()
    solve(operators, copy("other", run("other"), copy("bin", run("build"))))
    del operators.records[Digest.of(encode_json([run("other").operation, []]))]
    again = copy("other", run("other"), copy("bin", run("build", ignore_cache=True)))
    assert solve(operators, again) == ["build"]


def test_a_failing_step_ends_the_build_with_its_error() -> None:
    operators = Recorder()
    operators.failing = "low"
    with pytest.raises(DockyardError, match="boom"):
        solve(operators, run("top", run("low")), run("sibling"))
    assert "top" not in operators.executed


def outcomes(operators: Recorder, *roots: Vertex) -> list[str]:
    """What became of each of `roots` when nothing stops at a failure."""
    solved = Scheduler(operators, Workers(4), threading.Event(), keep_going=True).solve(roots)
    found = [solved[root.digest] for root in roots]
    return [str(each.error) if isinstance(each, Failed) else "solved" for each in found]


def test_what_does_not_need_a_failed_step_is_done_all_the_same() -> None:
    operators = Recorder()
    operators.failing = "low"
    assert outcomes(operators, run("top", run("low")), run("other", run("sibling"))) == ["boom", "solved"]
    assert operators.executed == ["sibling", "other"]


def test_a_shared_step_that_fails_fails_all_that_need_it() -> None:
    operators = Recorder()
    operators.failing = "shared"
    shared = run("shared")
    assert outcomes(operators, run("a", shared), run("b", run("c", shared)), run("d")) == [
        "boom",
        "boom",
        "solved",
    ]


def test_a_failure_reaches_those_that_copy_from_it_and_wait_for_their_key() -> None:
    operators = Recorder()
    operators.failing = "s1"
    assert outcomes(operators, run("after", stages(3)), stages(1)) == ["boom", "solved"]


def test_a_failed_step_is_not_tried_again_by_those_that_come_later() -> None:
    operators = Recorder()
    operators.failing = "low"
    low = run("low")
    late = copy("late", run("slow", run("slower")), low)
    assert outcomes(operators, low, late) == ["boom", "boom"]
    assert operators.attempts.count("low") == 1


def test_a_step_whose_result_is_known_does_not_fail_with_what_is_below_it() -> None:
    operators, top = Recorder(), run("top", run("low"))
    solve(operators, top)
    operators.records.pop(Digest.of(encode_json([run("low").operation, []])))
    operators.failing = "low"
    assert outcomes(operators, top, run("other", run("low"))) == ["solved", "boom"]


def test_an_interrupt_ends_everything_even_when_failures_do_not() -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        Scheduler(Recorder(), Workers(4), cancelled, keep_going=True).solve([run("a"), run("b")])


class Faulty(Recorder):
    """Operators with a fault of their own."""

    def execute(
        self, vertex: Vertex, key: Digest | None, results: Sequence[Result], *, fresh: bool
    ) -> Result:
        raise AssertionError("a fault")


def test_a_fault_of_dockyard_is_no_failure_of_a_platform() -> None:
    with pytest.raises(AssertionError, match="a fault"):
        outcomes(Faulty(), run("a"), run("b"))


def trees(depth: int) -> st.SearchStrategy[Vertex]:
    """Graphs of commands and copies over eight names, with steps that they share."""
    leaf = st.sampled_from([run(f"n{number}") for number in range(3)])
    if depth == 0:
        return leaf
    below = trees(depth - 1)
    names = st.sampled_from([f"n{number}" for number in range(8)])
    return st.one_of(leaf, st.builds(run, names, below), st.builds(copy, names, below, below))


@given(st.lists(trees(3), min_size=1, max_size=4), st.sampled_from([f"n{number}" for number in range(8)]))
@settings(max_examples=60, deadline=None)
def test_a_root_fails_exactly_when_a_step_below_it_does(roots: list[Vertex], failing: str) -> None:
    operators = Recorder()
    operators.failing = failing
    needs = [any(each.description.name == failing for each in walk([root])) for root in roots]
    assert [outcome == "boom" for outcome in outcomes(operators, *roots)] == needs


def test_a_thousand_steps_that_are_ready_share_the_threads_that_there_are() -> None:
    operators = Counting()
    while working():
        time.sleep(0.01)
    Scheduler(operators, Workers(8), threading.Event()).solve([run(str(number)) for number in range(1000)])
    assert len(operators.executed) == 1000 and operators.most_threads <= 8


def working() -> int:
    """Threads of workers, also those that wait a moment for another task."""
    return sum(each.name == "dockyard-worker" for each in threading.enumerate())


class Counting(Recorder):
    """Operators that see how many threads work."""

    most_threads = 0

    def execute(
        self, vertex: Vertex, key: Digest | None, results: Sequence[Result], *, fresh: bool
    ) -> Result:
        self.most_threads = max(self.most_threads, working())
        return super().execute(vertex, key, results, fresh=fresh)


def test_a_chain_of_three_thousand_steps_is_solved_without_recursion() -> None:
    top = run("0")
    for number in range(1, 3000):
        top = run(str(number), top)
    assert len(solve(Recorder(), top)) == 3000
