"""The SLSA predicates that BuildKit writes, v1 and v0.2, as typed JSON with members in BuildKit's order.

Source: slsa.dev, provenance v1 and v0.2; BuildKit's docs/attestations/slsa-definitions.md.
"""

from __future__ import annotations

from typing import Final

import msgspec

from builder.oci.descriptor import Descriptor

V1: Final = "https://slsa.dev/provenance/v1"
V02: Final = "https://slsa.dev/provenance/v0.2"
BUILD_TYPE_V1: Final = "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md"
BUILD_TYPE_V02: Final = "https://mobyproject.org/buildkit@v1"


class ResolvedDependency(msgspec.Struct, frozen=True, omit_defaults=True):
    """A source with the digest of what was used."""

    uri: str
    digest: dict[str, str] = {}


class ConfigSource(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Where the Dockerfile came from."""

    uri: str = ""
    digest: dict[str, str] = {}
    path: str = ""


class Named(msgspec.Struct, frozen=True, omit_defaults=True):
    """A secret or an agent, by its id alone."""

    id: str
    optional: bool = False


class LocalSource(msgspec.Struct, frozen=True):
    """A directory of the caller."""

    name: str


class RequestParameters(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What was asked of the frontend."""

    frontend: str = ""
    args: dict[str, str] = {}
    secrets: tuple[Named, ...] = ()
    ssh: tuple[Named, ...] = ()
    locals: tuple[LocalSource, ...] = ()
    compatibility_version: int = msgspec.field(name="compatibilityVersion", default=0)


class BuildConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of the build; `digest_mapping` leads from their digests to their ids."""

    llb_definition: list[dict[str, object]] = msgspec.field(name="llbDefinition")
    digest_mapping: dict[str, str] = msgspec.field(name="digestMapping")


class Metadata(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What BuildKit adds to SLSA's metadata."""

    vcs: dict[str, str] = {}
    source: dict[str, object] = {}
    layers: dict[str, list[list[Descriptor]]] = {}


class ExternalParameters(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller controls."""

    config_source: ConfigSource = msgspec.field(name="configSource")
    request: RequestParameters


class InternalParameters(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What the builder controls; members in alphabetical order, as BuildKit has them."""

    build_config: BuildConfig | None = msgspec.field(name="buildConfig", default=None)
    builder_platform: str = msgspec.field(name="builderPlatform", default="")
    dockerfile_version: str = msgspec.field(name="dockerfileVersion", default="")


class _BuildDefinitionHead(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    build_type: str = msgspec.field(name="buildType")
    resolved_dependencies: tuple[ResolvedDependency, ...] = msgspec.field(
        name="resolvedDependencies", default=()
    )


class BuildDefinition(_BuildDefinitionHead, frozen=True, omit_defaults=True, kw_only=True):
    """What was built of what."""

    external_parameters: ExternalParameters = msgspec.field(name="externalParameters")
    internal_parameters: InternalParameters = msgspec.field(name="internalParameters")


class Builder(msgspec.Struct, frozen=True):
    """Who built."""

    id: str


class Completeness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether all parameters and all dependencies are listed."""

    request: bool
    resolved_dependencies: bool = msgspec.field(name="resolvedDependencies")


class RunMetadata(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """When it was built. Times in RFC 3339."""

    invocation_id: str = msgspec.field(name="invocationId")
    started_on: str = msgspec.field(name="startedOn")
    finished_on: str = msgspec.field(name="finishedOn")
    metadata: Metadata = msgspec.field(name="buildkit_metadata")
    hermetic: bool = msgspec.field(name="buildkit_hermetic", default=False)
    completeness: Completeness = msgspec.field(name="buildkit_completeness")
    reproducible: bool = msgspec.field(name="buildkit_reproducible", default=False)


class RunDetails(msgspec.Struct, frozen=True, kw_only=True):
    """The run of the builder."""

    builder: Builder
    metadata: RunMetadata


class ProvenanceV1(msgspec.Struct, frozen=True, kw_only=True):
    """The predicate `https://slsa.dev/provenance/v1`."""

    build_definition: BuildDefinition = msgspec.field(name="buildDefinition")
    run_details: RunDetails = msgspec.field(name="runDetails")


class ConfigSourceV02(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """`ConfigSource` in v0.2."""

    uri: str = ""
    digest: dict[str, str] = {}
    entry_point: str = msgspec.field(name="entryPoint", default="")


class Environment(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What v0.2 calls the builder's part, members in alphabetical order."""

    dockerfile_version: str = msgspec.field(name="dockerfileVersion", default="")
    platform: str = ""


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, in v0.2."""

    config_source: ConfigSourceV02 = msgspec.field(name="configSource")
    parameters: RequestParameters
    environment: Environment


class CompletenessV02(msgspec.Struct, frozen=True, kw_only=True):
    """`Completeness` in v0.2."""

    parameters: bool
    environment: bool
    materials: bool


class MetadataV02(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """`RunMetadata` in v0.2; `metadata` None is left out."""

    invocation_id: str = msgspec.field(name="buildInvocationID")
    started_on: str = msgspec.field(name="buildStartedOn")
    finished_on: str = msgspec.field(name="buildFinishedOn")
    completeness: CompletenessV02
    reproducible: bool
    metadata: Metadata | None = msgspec.field(
        name="https://mobyproject.org/buildkit@v1#metadata", default=None
    )
    hermetic: bool = msgspec.field(name="https://mobyproject.org/buildkit@v1#hermetic", default=False)


class ProvenanceV02(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The predicate `https://slsa.dev/provenance/v0.2`."""

    builder: Builder
    build_type: str = msgspec.field(name="buildType")
    materials: tuple[ResolvedDependency, ...] = ()
    invocation: Invocation
    build_config: BuildConfig | None = msgspec.field(name="buildConfig", default=None)
    metadata: MetadataV02 | None = None


def convert(provenance: ProvenanceV1) -> ProvenanceV02:
    """What `provenance` says, in the words of v0.2."""
    definition, details = provenance.build_definition, provenance.run_details
    source, internal = definition.external_parameters.config_source, definition.internal_parameters
    metadata = details.metadata
    return ProvenanceV02(
        builder=details.builder,
        build_type=BUILD_TYPE_V02,
        materials=definition.resolved_dependencies,
        invocation=Invocation(
            config_source=ConfigSourceV02(uri=source.uri, digest=source.digest, entry_point=source.path),
            parameters=definition.external_parameters.request,
            environment=Environment(
                dockerfile_version=internal.dockerfile_version, platform=internal.builder_platform
            ),
        ),
        build_config=internal.build_config,
        metadata=MetadataV02(
            invocation_id=metadata.invocation_id,
            started_on=metadata.started_on,
            finished_on=metadata.finished_on,
            completeness=CompletenessV02(
                parameters=metadata.completeness.request,
                environment=True,
                materials=metadata.completeness.resolved_dependencies,
            ),
            reproducible=metadata.reproducible,
            metadata=metadata.metadata,
            hermetic=metadata.hermetic,
        ),
    )
