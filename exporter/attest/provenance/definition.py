"""The steps of a graph with ids of their own, where they stand in the Dockerfile, and what layers they made."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import msgspec

from builder.graph import Vertex, walk
from builder.oci.digest import Digest, encode_json
from exporter.attest.provenance.operations import operation_json
from exporter.attest.provenance.predicate import BuildConfig
from exporter.attest.provenance.redact import redacted, redacted_tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from builder.graph import Operation, SourceFile
    from builder.oci.descriptor import Descriptor


class Steps(msgspec.Struct, frozen=True, kw_only=True):
    """Vertices in the order of dependency; `ids` maps their digests to `step0`, `step1` and so on."""

    vertices: tuple[Vertex, ...]
    ids: dict[Digest, str]


def steps_of(root: Vertex | None) -> Steps:
    """The steps that lead to `root`, each once, inputs before what uses them."""
    vertices = () if root is None else tuple(walk((root,)))
    return Steps(vertices=vertices, ids={each.digest: f"step{n}" for n, each in enumerate(vertices)})


def definition_digest(root: Vertex | None) -> Digest:
    """Names what is told of the steps that lead to `root`: unlike the vertex, not whether it was done afresh."""
    return Digest.of(encode_json(build_config(steps_of(root))))


def build_config(steps: Steps) -> BuildConfig:
    """All steps, and one more that stands for the result, as the definitions of BuildKit end."""
    listed = [
        _step(steps.ids[vertex.digest], vertex.operation, [steps.ids[each.digest] for each in vertex.inputs])
        for vertex in steps.vertices
    ]
    if listed:
        listed.append({"id": f"step{len(listed)}", "op": {"Op": {}}, "inputs": [f"{listed[-1]['id']}:0"]})
    return BuildConfig(llb_definition=listed, digest_mapping=_digest_mapping(listed))


def _digest_mapping(listed: Sequence[dict[str, object]]) -> dict[str, str]:
    """From the digest of each step, which covers those of its inputs, to its id."""
    digests: dict[str, str] = {}
    for step in listed:
        inputs = step.get("inputs", ())
        assert isinstance(inputs, list | tuple)
        below = [digests[each.partition(":")[0]] for each in inputs]
        digests[str(step["id"])] = str(Digest.of(encode_json([step["op"], below])))
    return {digests[name]: name for name in sorted(digests, key=digests.__getitem__)}


def source_map(steps: Steps, loaded: Operation) -> dict[str, object]:
    """Places of steps in the texts that they were read from, and those texts; empty when none has a place.

    `loaded` is the step that the texts came from.
    """
    sources: dict[SourceFile, int] = {}
    locations: dict[str, object] = {}
    for vertex in steps.vertices:
        location = vertex.description.location
        if location is None:
            continue
        number = sources.setdefault(location.source, len(sources))
        lines = {"start": {"line": location.first}, "end": {"line": location.last}}
        place = {**({"sourceIndex": number} if number else {}), "ranges": [lines]}
        locations[steps.ids[vertex.digest]] = {"locations": [place]}
    if not locations:
        return {}
    return {"locations": locations, "infos": [_source_info(source, loaded) for source in sources]}


def layer_map(
    steps: Steps, chains: Mapping[Digest, tuple[Descriptor, ...]]
) -> dict[str, list[list[Descriptor]]]:
    """For each step whose layers were exported all of its layers, lowest first."""
    return {
        f"{steps.ids[digest]}:0": [list(chain)] for digest, chain in chains.items() if digest in steps.ids
    }


def _step(name: str, operation: Operation, inputs: list[str]) -> dict[str, object]:
    step: dict[str, object] = {"id": name, "op": redacted_tree(operation_json(operation))}
    if inputs:
        step["inputs"] = [f"{each}:0" for each in inputs]
    return step


def _source_info(source: SourceFile, loaded: Operation) -> dict[str, object]:
    """The text without credentials in URLs, and the step that it came from."""
    text = redacted(source.text).encode("utf-8", "surrogateescape")
    steps: list[dict[str, object]] = [
        _step("step0", loaded, []),
        {"id": "step1", "op": {"Op": {}}, "inputs": ["step0:0"]},
    ]
    return {
        "filename": source.name,
        "language": "Dockerfile",
        "data": base64.b64encode(text).decode(),
        "llbDefinition": steps,
        "digestMapping": _digest_mapping(steps),
    }
