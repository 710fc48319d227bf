"""The shapes of predicates: what provenance and SBOMs must have to mean anything.

Source: SLSA provenance v0.2 and v1; SPDX 2.3, clauses 6, 7 and 11. Members beyond these are the author's.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SPDX: Final = "https://spdx.dev/Document"
SLSA_V1: Final = "https://slsa.dev/provenance/v1"
SLSA_V02: Final = "https://slsa.dev/provenance/v0.2"


class _Material(msgspec.Struct):
    uri: str = ""
    digest: dict[str, str] = {}


class _Builder(msgspec.Struct):
    id: str


class _Definition(msgspec.Struct, rename="camel"):
    build_type: str
    external_parameters: dict[str, msgspec.Raw]
    resolved_dependencies: list[_Material] = []


class _MetadataV1(msgspec.Struct, rename="camel"):
    started_on: datetime | None = None
    finished_on: datetime | None = None


class _Run(msgspec.Struct):
    builder: _Builder
    metadata: _MetadataV1 | None = None


class _SlsaV1(msgspec.Struct, rename="camel"):
    build_definition: _Definition
    run_details: _Run


class _MetadataV02(msgspec.Struct, rename="camel"):
    build_started_on: datetime | None = None
    build_finished_on: datetime | None = None


class _SlsaV02(msgspec.Struct, rename="camel"):
    builder: _Builder
    build_type: str
    materials: list[_Material] = []
    metadata: _MetadataV02 | None = None


class _Creation(msgspec.Struct):
    created: datetime
    creators: list[str]


class _Element(msgspec.Struct):
    id: str = msgspec.field(name="SPDXID")


class _Package(_Element, kw_only=True):
    name: str
    download_location: str = msgspec.field(name="downloadLocation")


class _File(_Element, kw_only=True):
    name: str = msgspec.field(name="fileName")


class _Relationship(msgspec.Struct):
    element: str = msgspec.field(name="spdxElementId")
    kind: str = msgspec.field(name="relationshipType")
    related: str = msgspec.field(name="relatedSpdxElement")


class _Document(msgspec.Struct, rename="camel"):
    spdx_version: str
    id: str = msgspec.field(name="SPDXID")
    name: str
    data_license: str
    document_namespace: str
    creation_info: _Creation
    packages: list[_Package] = []
    files: list[_File] = []
    snippets: list[_Element] = []
    relationships: list[_Relationship] = []


def predicate_problems(predicate_type: str, predicate: bytes) -> Iterator[str] | None:
    """What is wrong with the predicate, with JSON paths; None for a type whose shape is not known here."""
    checker = _CHECKERS.get(predicate_type)
    return None if checker is None else checker(predicate)


def _slsa_v1(predicate: bytes) -> Iterator[str]:
    try:
        found = msgspec.json.decode(predicate, type=_SlsaV1)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        yield str(error)
        return
    if not found.build_definition.build_type:
        yield "no build type - at `$.buildDefinition.buildType`"
    times = found.run_details.metadata
    if times is not None:
        yield from _order(times.started_on, times.finished_on)


def _slsa_v02(predicate: bytes) -> Iterator[str]:
    try:
        found = msgspec.json.decode(predicate, type=_SlsaV02)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        yield str(error)
        return
    if not found.build_type:
        yield "no build type - at `$.buildType`"
    if found.metadata is not None:
        yield from _order(found.metadata.build_started_on, found.metadata.build_finished_on)


def _order(started: datetime | None, finished: datetime | None) -> Iterator[str]:
    if any(each is not None and each.tzinfo is None for each in (started, finished)):
        yield "a time without time zone"
    elif started is not None and finished is not None and finished < started:
        yield "the build ended before it began"


def _spdx(predicate: bytes) -> Iterator[str]:
    try:
        found = msgspec.json.decode(predicate, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        yield str(error)
        return
    if found.spdx_version not in ("SPDX-2.2", "SPDX-2.3"):
        yield f"version {found.spdx_version[:40]!r} - at `$.spdxVersion`"
    if found.id != "SPDXRef-DOCUMENT":
        yield "the document is not called SPDXRef-DOCUMENT - at `$.SPDXID`"
    known = {found.id}
    for element in (*found.packages, *found.files, *found.snippets):
        if element.id in known:
            yield f"two elements are called {element.id[:100]!r}"
        known.add(element.id)
    yield from _relationships(found, known)


def _relationships(found: _Document, known: set[str]) -> Iterator[str]:
    for number, relationship in enumerate(found.relationships):
        for name in (relationship.element, relationship.related):
            elsewhere = name in ("NONE", "NOASSERTION") or name.startswith("DocumentRef-")
            if not elsewhere and name not in known:
                yield f"relates to {name[:100]!r}, which is not there - at `$.relationships[{number}]`"


_CHECKERS: Final[dict[str, Callable[[bytes], Iterator[str]]]] = {
    SPDX: _spdx,
    SLSA_V1: _slsa_v1,
    SLSA_V02: _slsa_v02,
}
