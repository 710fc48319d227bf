"""The graph: equal work has one digest, and nothing that people read changes it."""

from __future__ import annotations

import msgspec

from builder.graph import (
    Description,
    Exec,
    Location,
    Merge,
    SourceFile,
    Vertex,
    excerpt,
    vertex,
    walk,
)
from builder.platforms import Platform

AMD64 = Platform("linux", "amd64")
RUN = Exec(base=None, args=("true",), platform=AMD64)


def step(
    operation: Exec = RUN, *inputs: Vertex, name: str = "RUN true", ignore_cache: bool = False
) -> Vertex:
    return vertex(operation, *inputs, description=Description(name=name, ignore_cache=ignore_cache))


def test_equal_operations_on_equal_inputs_are_one_vertex_whatever_they_are_called() -> None:
    assert step(name="[linux/amd64 1/2] RUN true").digest == step(name="[linux/arm64 1/2] RUN true").digest


def test_another_input_makes_another_vertex() -> None:
    below = step(msgspec.structs.replace(RUN, base=0), step())
    assert (
        below.digest != step(msgspec.structs.replace(RUN, base=0), step(name="x", ignore_cache=True)).digest
    )


def test_a_step_that_ignores_the_cache_is_not_joined_with_one_that_uses_it() -> None:
    assert step(ignore_cache=True).digest != step().digest


def test_proxies_and_addresses_of_hosts_do_not_change_a_vertex() -> None:
    proxied = msgspec.structs.replace(
        RUN, proxy_env=(("http_proxy", "http://p"),), extra_hosts=(("h", "1.1.1.1"),)
    )
    other = msgspec.structs.replace(RUN, extra_hosts=(("h", "2.2.2.2"),))
    assert step(proxied).digest == step(other).digest


def test_walking_a_graph_yields_inputs_first_and_each_vertex_once() -> None:
    low = step()
    left, right = (step(msgspec.structs.replace(RUN, base=0, cwd=cwd), low) for cwd in ("/a", "/b"))
    top = vertex(Merge(), left, right, description=Description(name="merge"))
    assert [each.digest for each in walk([top, left])] == [low.digest, left.digest, right.digest, top.digest]


def test_a_chain_of_many_thousand_steps_can_be_walked() -> None:
    top = step()
    for number in range(5000):
        top = step(msgspec.structs.replace(RUN, base=0, cwd=f"/{number}"), top)
    assert sum(1 for _ in walk([top])) == 5001


def test_the_excerpt_shows_two_lines_around_and_marks_the_one() -> None:
    source = SourceFile("Dockerfile", "FROM busybox\nRUN false\nCMD a")
    assert excerpt(Location(source, 2, 2)) == (
        "Dockerfile:2\n--------------------\n   1 |     FROM busybox\n   2 | >>> RUN false\n   3 |     CMD a\n"
        "--------------------"
    )


def test_the_excerpt_counts_lines_as_the_parser_does() -> None:
    source = SourceFile("Dockerfile", "FROM busybox\r\nRUN a\x0cb\u2028c\r\nRUN false\r\n")
    assert "   3 | >>> RUN false\n" in excerpt(Location(source, 3, 3))
