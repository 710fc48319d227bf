"""Vertices: an operation with its inputs, named by a digest that covers both.

The digest is the identity: two platforms whose graphs hold equal vertices share the work. It is made from
the digests of the inputs, so that a graph of thousands of steps costs one small hash each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from builder.graph.location import Location
from builder.graph.operations import Exec, Operation
from builder.oci.digest import Digest, encode_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What is said about a vertex and does not change its result.

    `name` is shown as progress; `stage` is the name of the stage that it belongs to; `ignore_cache` asks for
    the step to be done again.
    """

    name: str
    location: Location | None = None
    stage: str = ""
    ignore_cache: bool = False


class Vertex(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """A node of the build graph. Make it with `vertex()`, compare it by `digest`."""

    operation: Operation
    inputs: tuple[Vertex, ...]
    description: Description
    digest: Digest


class _Identity(msgspec.Struct, frozen=True):
    operation: Operation
    inputs: tuple[Digest, ...]
    ignore_cache: bool


def vertex(operation: Operation, *inputs: Vertex, description: Description) -> Vertex:
    """A vertex whose digest covers the operation, its inputs and whether the cache is to be ignored."""
    identity = _Identity(
        cacheable(operation), tuple(each.digest for each in inputs), description.ignore_cache
    )
    return Vertex(
        operation=operation,
        inputs=inputs,
        description=description,
        digest=Digest.of(encode_json(identity)),
    )


def cacheable(operation: Operation) -> Operation:
    """`operation` without what must not move a cache key: proxies, and the addresses of extra hosts."""
    if isinstance(operation, Exec) and (operation.proxy_env or operation.extra_hosts):
        hosts = tuple((name, "") for name, _ in operation.extra_hosts)
        return msgspec.structs.replace(operation, proxy_env=(), extra_hosts=hosts)
    return operation


def walk(roots: Iterable[Vertex]) -> Iterator[Vertex]:
    """Every vertex that `roots` reach, each digest once, inputs before the vertices that use them."""
    seen: set[Digest] = set()
    stack = [(root, False) for root in reversed(tuple(roots))]
    while stack:
        current, expanded = stack.pop()
        if expanded:
            yield current
        elif current.digest not in seen:
            seen.add(current.digest)
            stack.append((current, True))
            stack.extend((each, False) for each in reversed(current.inputs))
