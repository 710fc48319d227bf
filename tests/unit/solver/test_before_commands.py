"""Which steps are done for a command's sake, so that its container may be made ready meanwhile."""

from __future__ import annotations

from builder.graph import Copy, Description, Exec, File, Local, Vertex, vertex, walk
from builder.platforms import Platform
from builder.solver.solve import before_commands


def _made(operation: Local | File | Exec, *inputs: Vertex) -> Vertex:
    return vertex(operation, *inputs, description=Description(name="step"))


def test_what_a_command_needs_comes_before_it_and_what_follows_does_not() -> None:
    context = _made(Local(name="context"))
    copied = _made(File(base=None, actions=(Copy(input=0, sources=("a",), destination="/"),)), context)
    run = _made(Exec(base=0, args=("true",), platform=Platform("linux", "amd64")), copied)
    after = _made(File(base=0, actions=(Copy(input=1, sources=("b",), destination="/"),)), run, context)

    assert before_commands(list(walk([after]))) == {context.digest, copied.digest}


def test_a_graph_without_commands_prepares_none() -> None:
    context = _made(Local(name="context"))
    copied = _made(File(base=None, actions=(Copy(input=0, sources=("a",), destination="/"),)), context)

    assert before_commands(list(walk([copied]))) == frozenset()
