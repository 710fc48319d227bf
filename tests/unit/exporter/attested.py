"""Builds made of values, and their provenance as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from made import AMD64

from builder.graph import (
    Description,
    Exec,
    Image,
    Location,
    SourceFile,
    vertex,
)
from builder.oci.digest import Digest
from exporter.attest.options import ProvenanceOptions
from exporter.attest.provenance.facts import BuildFacts, Material, Request, ResultFacts
from exporter.attest.provenance.make import provenance, provenance_attestation

if TYPE_CHECKING:
    from builder.graph import Vertex
    from builder.oci.descriptor import Descriptor
    from builder.platforms import Platform

BASE, INDEX = Digest.of(b"base"), Digest.of(b"index")
TEXT = SourceFile("Dockerfile", "FROM alpine\nRUN fetch https://me:hunter2@example.com/x\n")
REQUEST = Request(
    frontend="dockerfile.v0",
    filename="Dockerfile",
    args={
        "build-arg:KEY": "https://me:hunter2@example.com", "label:a": "b", "target": "app",
        "platform": "linux/amd64", "cgroup-parent": "x", "attest:provenance": "mode=max", "vcs:source": "https://me:hunter2@example.com/r",
        "context:src": "https://me:hunter2@example.com/c.git",
    },
    locals=("dockerfile", "context"),
)  # fmt: skip
FACTS = BuildFacts(
    request=REQUEST,
    builder_platform=AMD64,
    dockerfile_version="1",
    invocation_id="id",
    started="2026-01-01T00:00:00Z",
    finished="2026-01-01T00:00:01.5Z",
    vcs={"revision": "abc-dirty", "source": "https://me:hunter2@example.com/r", "localdir:context": "."},
)


def image(name: str = "alpine:3", *, digest: Digest = BASE, platform: Platform = AMD64) -> Vertex:
    operation = Image(
        reference=f"docker.io/library/{name}", digest=digest, diff_ids=(Digest.of(b"d"),), platform=platform
    )
    return vertex(operation, description=Description(name=f"FROM {name}", location=Location(TEXT, 1, 1)))


def run(base: Vertex | None, **options: Any) -> Vertex:
    inputs = () if base is None else (base,)
    operation = Exec(base=None if base is None else 0, args=("sh",), platform=AMD64, **options)
    return vertex(operation, *inputs, description=Description(name="RUN", location=Location(TEXT, 2, 2)))


def made(
    root: Vertex | None,
    *,
    facts: BuildFacts = FACTS,
    materials: tuple[Material, ...] = (),
    chains: dict[Digest, tuple[Descriptor, ...]] | None = None,
    **options: Any,
) -> dict[str, Any]:
    chosen = ProvenanceOptions(**options)
    result = ResultFacts(vertex=root, materials=materials, chains=chains or {})
    return json.loads(  # type: ignore[no-any-return]
        bytes(provenance_attestation(provenance(facts, result, chosen), chosen).predicate)
    )


def request(predicate: dict[str, Any]) -> dict[str, Any]:
    return predicate["buildDefinition"]["externalParameters"]["request"]  # type: ignore[no-any-return]


def run_metadata(predicate: dict[str, Any]) -> dict[str, Any]:
    return predicate["runDetails"]["metadata"]  # type: ignore[no-any-return]


def steps(predicate: dict[str, Any]) -> list[dict[str, Any]]:
    return predicate["buildDefinition"]["internalParameters"]["buildConfig"]["llbDefinition"]  # type: ignore[no-any-return]


def operation_of(step: Vertex) -> dict[str, Any]:
    return steps(made(step))[-2]["op"]["Op"]  # type: ignore[no-any-return]
