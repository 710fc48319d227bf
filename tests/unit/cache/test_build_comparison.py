"""The comparison of two builds: which step is a cause, and which was dragged along."""

from __future__ import annotations

from builder.cache.history import BuildRecord, BuiltStep
from builder.cache.keys import RULES
from builder.cache.moved import operation_changes
from builder.cache.parts import Parts
from builder.cache.why import explain
from builder.graph import Copy, Exec, File
from builder.oci.digest import Digest
from builder.platforms import Platform

AMD64 = Platform("linux", "amd64")


def key(text: str) -> Digest:
    return Digest.of(text.encode())


def step(name: str, text: str, *inputs: int, state: str = "executed", stage: str = "s") -> BuiltStep:
    return BuiltStep(name=name, stage=stage, key=key(text), inputs=inputs, state=state)  # type: ignore[arg-type]


def build(number: int, *steps: BuiltStep) -> BuildRecord:
    return BuildRecord(id=number, source="x", platforms="linux/amd64", finished_at=0.0, steps=steps)


def command(*words: str, env: tuple[tuple[str, str], ...] = ()) -> Parts:
    operation = Exec(base=0, args=words, env=env, platform=AMD64)
    return Parts(rules=RULES, operation=operation, inputs=(key("base"),))


class Known:
    """Parts by the text that a key was made from; no listings."""

    def __init__(self, **parts: Parts) -> None:
        self._parts = {key(text): each for text, each in parts.items()}

    def find(self, wanted: Digest) -> Parts | None:
        return self._parts.get(wanted)

    def listing(self, content: Digest) -> None:
        return None


def test_a_step_on_top_of_a_moved_one_is_dragged_along_and_no_cause() -> None:
    before = build(1, step("[1/2] RUN a", "a1"), step("[2/2] RUN b", "b1", 0))
    after = build(2, step("[1/2] RUN a", "a2"), step("[2/2] RUN b", "b2", 0))
    parts = Known(a1=command("a"), a2=command("a", env=(("X", "1"),)), b1=command("b"), b2=command("b"))
    (cause,) = explain(after, before, parts).causes
    assert (cause.step, cause.dragged) == ("[1/2] RUN a", ("[2/2] RUN b",))


def test_a_step_that_moved_itself_is_a_cause_also_on_top_of_a_moved_one() -> None:
    before = build(1, step("[1/2] RUN a", "a1"), step("[2/2] RUN b", "b1", 0))
    after = build(2, step("[1/2] RUN a", "a2"), step("[2/2] RUN b", "b2", 0))
    moved = command("b", env=(("Y", "1"),))
    parts = Known(a1=command("a"), a2=command("a", env=(("X", "1"),)), b1=command("b"), b2=moved)
    assert [cause.step for cause in explain(after, before, parts).causes] == ["[1/2] RUN a", "[2/2] RUN b"]


def test_a_line_that_was_put_in_between_does_not_take_the_place_of_the_next() -> None:
    before = build(1, step("[1/2] RUN a", "a1"), step("[2/2] RUN b", "b1", 0))
    after = build(
        2,
        step("[1/3] RUN a", "a1", state="cached"),
        step("[2/3] RUN new", "n", 0),
        step("[3/3] RUN b", "b2", 1),
    )
    parts = Known(a1=command("a"), b1=command("b"), b2=command("b"), n=command("new"))
    (cause,) = explain(after, before, parts).causes
    assert (cause.step, cause.reason, cause.dragged) == ("[2/3] RUN new", "new", ("[3/3] RUN b",))


def test_a_record_that_is_gone_is_told_from_one_that_moved() -> None:
    before, after = build(1, step("[1/1] RUN a", "a1")), build(2, step("[1/1] RUN a", "a1"))
    (cause,) = explain(after, before, Known(a1=command("a"))).causes
    assert (cause.reason, cause.changes) == ("lost", ())


def test_keys_of_another_version_are_not_compared_field_by_field() -> None:
    before, after = build(1, step("[1/1] RUN a", "a1")), build(2, step("[1/1] RUN a", "a2"))
    old = Parts(rules="dockyard.v0", operation=command("a").operation, inputs=(key("base"),))
    (cause,) = explain(after, before, Known(a1=old, a2=command("a"))).causes
    assert cause.reason == "rules"


def test_parts_that_were_not_kept_are_admitted() -> None:
    before, after = build(1, step("[1/1] RUN a", "a1")), build(2, step("[1/1] RUN a", "a2"))
    assert explain(after, before, Known()).causes[0].reason == "unknown"


def test_positions_of_inputs_are_no_change() -> None:
    first = File(base=None, actions=(Copy(input=0, sources=("/a",), destination="/b"),))
    second = File(base=None, actions=(Copy(input=1, sources=("/a",), destination="/b"),))
    assert operation_changes(first, second) == ()


def test_long_values_are_shortened() -> None:
    before, after = command("x").operation, command("y" * 5000).operation
    (change,) = operation_changes(before, after)
    assert change.after is not None and len(change.after) <= 200
