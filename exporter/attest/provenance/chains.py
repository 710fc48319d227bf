"""Which of the exported layers each step is responsible for, from the shape of the graph alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from builder.graph import Exec, File, Image, Merge, walk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from builder.graph import Vertex
    from builder.oci.descriptor import Descriptor
    from builder.oci.digest import Digest


def layer_chains(root: Vertex | None, layers: Sequence[Descriptor]) -> dict[Digest, tuple[Descriptor, ...]]:
    """For each step below `root` whose layers are among `layers`, those of `root`: all of its own, lowest first.

    Source: what BuildKit says in the member `layers` of its metadata.
    """
    if root is None:
        return {}
    counts = _counts(root)
    plain = tuple(replace(layer, annotations={}) for layer in layers)
    found: dict[Digest, tuple[Descriptor, ...]] = {}
    pending = [(root, 0)]
    while pending:
        vertex, start = pending.pop()
        if vertex.digest in found:
            continue
        found[vertex.digest] = plain[start : start + counts[vertex.digest]]
        operation = vertex.operation
        if isinstance(operation, File | Exec) and operation.base is not None:
            pending.append((vertex.inputs[operation.base], start))
        elif isinstance(operation, Merge):
            for each in vertex.inputs:
                pending.append((each, start))
                start += counts[each.digest]
    return {digest: chain for digest, chain in found.items() if chain}


def _counts(root: Vertex) -> Mapping[Digest, int]:
    """How many layers each vertex has."""
    counts: dict[Digest, int] = {}
    for vertex in walk((root,)):
        operation = vertex.operation
        match operation:
            case Image():
                count = len(operation.diff_ids)
            case File() | Exec():
                count = 1 if operation.base is None else counts[vertex.inputs[operation.base].digest] + 1
            case Merge():
                count = sum(counts[each.digest] for each in vertex.inputs)
            case _:
                count = 0
        counts[vertex.digest] = count
    return counts
