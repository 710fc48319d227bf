"""What provenance says that policies ask for: SLSA v1 and v0.2 in one form. Nothing in it is trusted.

Source: slsa.dev, provenance v0.2 and v1; BuildKit's docs/attestations/slsa-definitions.md for its own members.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from exporter.attest.provenance.predicate import V02, V1

if TYPE_CHECKING:
    from typing import Final


class Material(msgspec.Struct, frozen=True):
    """What the result was made from; `digest` leads from algorithms to hex digits."""

    uri: str = ""
    digest: dict[str, str] = {}


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """How an image came about.

    `source` is where the Dockerfile came from, empty for a directory of the caller; `repository` and `revision`
    are those of the version control around that directory. `is_max`: the steps are listed.
    """

    builder: str
    build_type: str
    source: str = ""
    repository: str = ""
    revision: str = ""
    materials: tuple[Material, ...] = ()
    is_max: bool = False
    complete_request: bool = False
    complete_materials: bool = False
    reproducible: bool = False
    hermetic: bool = False
    finished: datetime | None = None


class _Source(msgspec.Struct, frozen=True):
    uri: str = ""
    digest: dict[str, str] = {}


class _External(msgspec.Struct, frozen=True):
    config_source: _Source = msgspec.field(name="configSource", default=_Source())


class _Internal(msgspec.Struct, frozen=True):
    build_config: msgspec.Raw = msgspec.field(name="buildConfig", default=msgspec.Raw())


class _Definition(msgspec.Struct, frozen=True, rename="camel"):
    build_type: str
    external_parameters: _External = _External()
    internal_parameters: _Internal = _Internal()
    resolved_dependencies: tuple[Material, ...] = ()


class _Builder(msgspec.Struct, frozen=True):
    id: str = ""


class _Completeness(msgspec.Struct, frozen=True):
    request: bool = False
    materials: bool = msgspec.field(name="resolvedDependencies", default=False)


class _Added(msgspec.Struct, frozen=True):
    vcs: dict[str, str] = {}


class _Metadata(msgspec.Struct, frozen=True):
    finished: datetime | None = msgspec.field(name="finishedOn", default=None)
    added: _Added = msgspec.field(name="buildkit_metadata", default=_Added())
    completeness: _Completeness = msgspec.field(name="buildkit_completeness", default=_Completeness())
    reproducible: bool = msgspec.field(name="buildkit_reproducible", default=False)
    hermetic: bool = msgspec.field(name="buildkit_hermetic", default=False)


class _Run(msgspec.Struct, frozen=True):
    builder: _Builder = _Builder()
    metadata: _Metadata = _Metadata()


class _V1(msgspec.Struct, frozen=True, rename="camel"):
    build_definition: _Definition
    run_details: _Run = _Run()


class _CompletenessV02(msgspec.Struct, frozen=True):
    parameters: bool = False
    materials: bool = False


class _MetadataV02(msgspec.Struct, frozen=True):
    finished: datetime | None = msgspec.field(name="buildFinishedOn", default=None)
    completeness: _CompletenessV02 = _CompletenessV02()
    reproducible: bool = False
    added: _Added = msgspec.field(name="https://mobyproject.org/buildkit@v1#metadata", default=_Added())
    hermetic: bool = msgspec.field(name="https://mobyproject.org/buildkit@v1#hermetic", default=False)


class _Invocation(msgspec.Struct, frozen=True):
    config_source: _Source = msgspec.field(name="configSource", default=_Source())


class _V02(msgspec.Struct, frozen=True, rename="camel"):
    build_type: str
    builder: _Builder = _Builder()
    materials: tuple[Material, ...] = ()
    invocation: _Invocation = _Invocation()
    build_config: msgspec.Raw = msgspec.Raw()
    metadata: _MetadataV02 = _MetadataV02()


TYPES: Final = (V1, V02)
"""Predicate types that are provenance."""


def read_provenance(predicate_type: str, predicate: bytes) -> Provenance:
    """The provenance in `predicate`. Raises: ValueError when it cannot be read."""
    try:
        if predicate_type == V1:
            return _from_v1(msgspec.json.decode(predicate, type=_V1))
        return _from_v02(msgspec.json.decode(predicate, type=_V02))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def _from_v1(found: _V1) -> Provenance:
    definition, metadata = found.build_definition, found.run_details.metadata
    return Provenance(
        builder=found.run_details.builder.id,
        build_type=definition.build_type,
        source=definition.external_parameters.config_source.uri,
        repository=metadata.added.vcs.get("source", ""),
        revision=_revision(metadata.added, definition.external_parameters.config_source),
        materials=definition.resolved_dependencies,
        is_max=_is_said(definition.internal_parameters.build_config),
        complete_request=metadata.completeness.request,
        complete_materials=metadata.completeness.materials,
        reproducible=metadata.reproducible,
        hermetic=metadata.hermetic,
        finished=metadata.finished,
    )


def _from_v02(found: _V02) -> Provenance:
    metadata = found.metadata
    return Provenance(
        builder=found.builder.id,
        build_type=found.build_type,
        source=found.invocation.config_source.uri,
        repository=metadata.added.vcs.get("source", ""),
        revision=_revision(metadata.added, found.invocation.config_source),
        materials=found.materials,
        is_max=_is_said(found.build_config),
        complete_request=metadata.completeness.parameters,
        complete_materials=metadata.completeness.materials,
        reproducible=metadata.reproducible,
        hermetic=metadata.hermetic,
        finished=metadata.finished,
    )


def _is_said(member: msgspec.Raw) -> bool:
    return bytes(member) not in (b"", b"null")


def _revision(added: _Added, source: _Source) -> str:
    """The commit: of a remote source what was checked out, else what the caller's repository was at."""
    return (
        (source.digest.get("sha1") or source.digest.get("sha256", ""))
        if source.uri
        else added.vcs.get("revision", "")
    )
