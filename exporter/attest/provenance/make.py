"""From the facts of a build to its provenance: what each mode says, and what it claims to be complete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from builder.graph import Exec, Git, SshMount
from builder.oci.digest import encode_json
from builder.oci.manifest import escape_html
from exporter.attest.provenance.definition import build_config, layer_map, source_map, steps_of
from exporter.attest.provenance.predicate import (
    BUILD_TYPE_V1,
    V02,
    V1,
    BuildDefinition,
    Builder,
    Completeness,
    ConfigSource,
    ExternalParameters,
    InternalParameters,
    LocalSource,
    Metadata,
    Named,
    ProvenanceV1,
    RequestParameters,
    ResolvedDependency,
    RunDetails,
    RunMetadata,
    convert,
)
from exporter.attest.provenance.redact import redacted
from exporter.attest.statement import Attestation
from exporter.errors import ExportError

if TYPE_CHECKING:
    from exporter.attest.options import ProvenanceOptions
    from exporter.attest.provenance.definition import Steps
    from exporter.attest.provenance.facts import BuildFacts, Request, ResultFacts
    from exporter.attest.provenance.predicate import ProvenanceV02

_COMPATIBILITY: Final = 30
"""The version of BuildKit's exporters (its v0.32) whose behaviour dockyard's have."""
_DROPPED: Final = ("cgroup-parent", "image-resolve-mode", "platform", "cache-imports")
_DROPPED_PREFIXES: Final = ("attest:", "vcs:")
_PRIVATE_PREFIXES: Final = ("build-arg:", "label:")
_GIT_SECRETS: Final = ("GIT_AUTH_HEADER", "GIT_AUTH_TOKEN")
_ORDER: Final = {"image": 0, "git": 1, "http": 2}


def provenance(build: BuildFacts, result: ResultFacts, options: ProvenanceOptions) -> ProvenanceV1:
    """How `result` was made.

    Raises: ExportError when `options` want all materials and some are not known.
    """
    steps = steps_of(result.vertex)
    is_max = options.mode == "max"
    request, removed = _request(build.request, steps, is_max=is_max)
    materials = sorted(result.materials, key=lambda each: (_ORDER[each.kind], each.uri))
    complete = not build.request.locals and all(each.digest for each in materials)
    if options.complete and not complete:
        raise ExportError(
            "provenance materials are incomplete",
            hint="local directories have no digest: build from a remote context, or without complete-materials",
        )
    metadata = Metadata(
        vcs={name: redacted(value) for name, value in build.vcs.items() if value},
        source=source_map(steps, build.dockerfile_source) if is_max else {},
        layers=layer_map(steps, result.chains) if is_max else {},
    )
    return ProvenanceV1(
        build_definition=BuildDefinition(
            build_type=BUILD_TYPE_V1,
            resolved_dependencies=tuple(ResolvedDependency(each.uri, each.digest) for each in materials),
            external_parameters=ExternalParameters(
                config_source=_config_source(build.request), request=request
            ),
            internal_parameters=InternalParameters(
                build_config=build_config(steps) if is_max else None,
                builder_platform=str(build.builder_platform),
                dockerfile_version=build.dockerfile_version if build.request.frontend else "",
            ),
        ),
        run_details=RunDetails(
            builder=Builder(options.builder_id),
            metadata=RunMetadata(
                invocation_id=build.invocation_id,
                started_on=build.started,
                finished_on=build.finished,
                metadata=metadata,
                hermetic=complete and _is_isolated(steps),
                completeness=Completeness(
                    request=bool(build.request.frontend) and not removed, resolved_dependencies=complete
                ),
                reproducible=options.reproducible,
            ),
        ),
    )


def provenance_attestation(made: ProvenanceV1, options: ProvenanceOptions) -> Attestation:
    """`made` as the attestation that `options` ask for."""
    is_v1 = options.version == "v1"
    return Attestation(
        predicate_type=V1 if is_v1 else V02,
        predicate=encode_predicate(made if is_v1 else convert(made)),
        filename=options.filename,
        inline_only=options.inline_only,
    )


def encode_predicate(made: ProvenanceV1 | ProvenanceV02) -> msgspec.Raw:
    """Compact JSON, with Go's HTML escapes."""
    return msgspec.Raw(escape_html(encode_json(made)))


def _config_source(request: Request) -> ConfigSource:
    return ConfigSource(
        uri=redacted(request.context_uri), digest=request.context_digest, path=request.filename
    )


def _request(request: Request, steps: Steps, *, is_max: bool) -> tuple[RequestParameters, bool]:
    """The parameters, and whether `min` has left any of them out."""
    args = {
        name: redacted(value)
        for name, value in sorted(request.args.items())
        if name not in _DROPPED and not name.startswith(_DROPPED_PREFIXES)
    }
    secrets, ssh = _secrets(steps), _agents(steps)
    told = {name: value for name, value in args.items() if is_max or not name.startswith(_PRIVATE_PREFIXES)}
    parameters = RequestParameters(
        frontend=request.frontend,
        args=told,
        secrets=secrets if is_max else (),
        ssh=ssh if is_max else (),
        locals=tuple(LocalSource(name) for name in sorted(request.locals)),
        compatibility_version=_COMPATIBILITY,
    )
    return parameters, not is_max and bool(secrets or ssh or len(told) < len(args))


def _secrets(steps: Steps) -> tuple[Named, ...]:
    """The secrets that steps may read; one is optional when every step can do without it."""
    required: dict[str, bool] = {}
    for vertex in steps.vertices:
        operation = vertex.operation
        if isinstance(operation, Git):
            for name in _GIT_SECRETS:
                required.setdefault(name, False)
        elif isinstance(operation, Exec):
            for secret in operation.secrets:
                required[secret.id] = required.get(secret.id, False) or secret.required
    return _named(required)


def _agents(steps: Steps) -> tuple[Named, ...]:
    required: dict[str, bool] = {}
    for vertex in steps.vertices:
        if isinstance(vertex.operation, Exec):
            for mount in vertex.operation.mounts:
                if isinstance(mount, SshMount):
                    name = mount.id or "default"
                    required[name] = required.get(name, False) or mount.required
    return _named(required)


def _named(required: dict[str, bool]) -> tuple[Named, ...]:
    return tuple(Named(name, optional=not needed) for name, needed in sorted(required.items()))


def _is_isolated(steps: Steps) -> bool:
    return all(
        vertex.operation.network == "none" for vertex in steps.vertices if isinstance(vertex.operation, Exec)
    )
