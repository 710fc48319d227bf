"""What provenance says, SLSA v1 and v0.2 in one form. BuildKit's members are known; others are shown as they are.

Source: SLSA provenance v1 and v0.2; BuildKit's docs/attestations/slsa-definitions.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from builder.oci.manifest import InvalidDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX: Final = "https://slsa.dev/provenance/"
_V02: Final = PREFIX + "v0.2"
_MEMBERS_V02: Final = "https://mobyproject.org/buildkit@v1#metadata"
_MAX_DEPTH: Final = 16


class Material(msgspec.Struct, frozen=True, order=True):
    """`digest` as `ALGORITHM:HEX`, empty when there is none."""

    uri: str
    digest: str


class Provenance(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How one result was made. Times in RFC 3339, as they stand there; what is not said is empty.

    `source` is the repository or URL, `revision` its commit, `path` the file that was built. `claims` are those
    of completeness and the like. `steps`: how many operations are listed.
    """

    type: str
    builder: str
    build_type: str
    source: str
    revision: str
    path: str
    parameters: dict[str, str]
    materials: tuple[Material, ...]
    started: str
    finished: str
    invocation: str
    claims: dict[str, bool]
    steps: int


class _Material(msgspec.Struct):
    uri: str = ""
    digest: dict[str, str] = {}


class _Source(msgspec.Struct):
    uri: str = ""
    digest: dict[str, str] = {}
    path: str = ""
    entry_point: str = msgspec.field(name="entryPoint", default="")


class _Builder(msgspec.Struct):
    id: str = ""


class _Config(msgspec.Struct):
    definition: list[msgspec.Raw] = msgspec.field(name="llbDefinition", default_factory=list)


class _Facts(msgspec.Struct):
    vcs: dict[str, str] = {}


class _MetadataV1(msgspec.Struct):
    invocation: str = msgspec.field(name="invocationId", default="")
    started: str = msgspec.field(name="startedOn", default="")
    finished: str = msgspec.field(name="finishedOn", default="")
    completeness: dict[str, bool] = msgspec.field(name="buildkit_completeness", default_factory=dict)
    reproducible: bool | None = msgspec.field(name="buildkit_reproducible", default=None)
    hermetic: bool | None = msgspec.field(name="buildkit_hermetic", default=None)
    facts: _Facts = msgspec.field(name="buildkit_metadata", default_factory=_Facts)


class _MetadataV02(msgspec.Struct):
    invocation: str = msgspec.field(name="buildInvocationID", default="")
    started: str = msgspec.field(name="buildStartedOn", default="")
    finished: str = msgspec.field(name="buildFinishedOn", default="")
    completeness: dict[str, bool] = {}
    reproducible: bool | None = None
    hermetic: bool | None = msgspec.field(name="https://mobyproject.org/buildkit@v1#hermetic", default=None)
    facts: _Facts = msgspec.field(name=_MEMBERS_V02, default_factory=_Facts)


class _Internal(msgspec.Struct):
    config: _Config = msgspec.field(name="buildConfig", default_factory=_Config)


class _Definition(msgspec.Struct, rename="camel"):
    build_type: str = ""
    external_parameters: dict[str, Any] = {}
    internal_parameters: _Internal = msgspec.field(default_factory=_Internal)
    resolved_dependencies: list[_Material] = []


class _Run(msgspec.Struct):
    builder: _Builder = msgspec.field(default_factory=_Builder)
    metadata: _MetadataV1 = msgspec.field(default_factory=_MetadataV1)


class _SlsaV1(msgspec.Struct, rename="camel"):
    build_definition: _Definition
    run_details: _Run = msgspec.field(default_factory=_Run)


class _Invocation(msgspec.Struct, rename="camel"):
    config_source: _Source = msgspec.field(default_factory=_Source)
    parameters: dict[str, Any] = {}


class _SlsaV02(msgspec.Struct, rename="camel"):
    build_type: str
    builder: _Builder = msgspec.field(default_factory=_Builder)
    invocation: _Invocation = msgspec.field(default_factory=_Invocation)
    metadata: _MetadataV02 = msgspec.field(default_factory=_MetadataV02)
    build_config: _Config = msgspec.field(default_factory=_Config)
    materials: list[_Material] = []


def read_provenance(predicate_type: str, predicate: bytes) -> Provenance:
    """What the SLSA predicate says. Raises: InvalidDocument when it is none."""
    try:
        if predicate_type == _V02:
            return _from_v02(msgspec.json.decode(predicate, type=_SlsaV02))
        return _from_v1(predicate_type, msgspec.json.decode(predicate, type=_SlsaV1))
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidDocument(f"no SLSA provenance: {error}") from error


def _from_v1(predicate_type: str, found: _SlsaV1) -> Provenance:
    definition, metadata = found.build_definition, found.run_details.metadata
    external = definition.external_parameters
    source = msgspec.convert(external.get("configSource", {}), type=_Source)
    request = external.get("request")
    # The build type of BuildKit has all parameters in its request; of other builders every member is one.
    others = {key: value for key, value in external.items() if key not in ("configSource", "request")}
    parameters = {**(request if isinstance(request, dict) else {}), **others}
    return Provenance(
        type=predicate_type,
        builder=found.run_details.builder.id,
        build_type=definition.build_type,
        **_source(source, metadata.facts.vcs),
        parameters=dict(_flat("", parameters, 0)),
        materials=_materials(definition.resolved_dependencies),
        started=metadata.started,
        finished=metadata.finished,
        invocation=metadata.invocation,
        claims=_claims(metadata),
        steps=len(definition.internal_parameters.config.definition),
    )


def _from_v02(found: _SlsaV02) -> Provenance:
    metadata = found.metadata
    return Provenance(
        type=_V02,
        builder=found.builder.id,
        build_type=found.build_type,
        **_source(found.invocation.config_source, metadata.facts.vcs),
        parameters=dict(_flat("", found.invocation.parameters, 0)),
        materials=_materials(found.materials),
        started=metadata.started,
        finished=metadata.finished,
        invocation=metadata.invocation,
        claims=_claims(metadata),
        steps=len(found.build_config.definition),
    )


def _source(source: _Source, vcs: dict[str, str]) -> dict[str, Any]:
    """A remote context says itself what it was; of a directory the repository around it is told."""
    commit = next(iter(source.digest.values()), "")
    return {
        "source": source.uri or vcs.get("source", ""),
        "revision": commit or vcs.get("revision", ""),
        "path": source.path or source.entry_point,
    }


def _materials(found: list[_Material]) -> tuple[Material, ...]:
    return tuple(
        Material(each.uri, next((f"{name}:{digits}" for name, digits in sorted(each.digest.items())), ""))
        for each in found
    )


def _claims(metadata: _MetadataV1 | _MetadataV02) -> dict[str, bool]:
    claims = {f"{name} complete": value for name, value in metadata.completeness.items()}
    others = {"reproducible": metadata.reproducible, "hermetic": metadata.hermetic}
    return claims | {name: value for name, value in others.items() if value is not None}


def _flat(name: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    """Every value by the path to it; `args` of BuildKit's request are what people call parameters."""
    if isinstance(value, dict) and value and depth < _MAX_DEPTH:
        for key, below in value.items():
            inner = f"{name}.{key}" if name and name != "args" else key
            yield from _flat(inner, below, depth + 1)
    elif isinstance(value, list) and all(isinstance(each, dict) and _called(each) for each in value):
        yield name, ", ".join(_called(each) for each in value)
    else:
        yield name, value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _called(entry: dict[str, Any]) -> str:
    """What BuildKit's lists of directories, secrets and agents call their entries."""
    found = entry.get("name") or entry.get("id")
    return found if isinstance(found, str) else ""
