"""What an SBOM lists: packages, and how many files. SPDX 2.2 and 2.3, JSON.

Source: SPDX 2.3, clauses 7 and 11; package URLs for the types.
"""

from __future__ import annotations

from typing import Final

import msgspec

from builder.oci.manifest import InvalidDocument

SPDX: Final = "https://spdx.dev/Document"
_UNSAID: Final = ("", "NONE", "NOASSERTION")


class Package(msgspec.Struct, frozen=True, order=True):
    """`type` is that of the package URL (`deb`, `npm`); what is not said is empty. `licence`: SPDX expression."""

    name: str
    version: str
    type: str
    licence: str


class Sbom(msgspec.Struct, frozen=True, kw_only=True):
    """One document: its `name`, when and by which programs it was made, and what it lists, sorted."""

    name: str
    created: str
    creators: tuple[str, ...]
    packages: tuple[Package, ...]
    files: int


class _Reference(msgspec.Struct):
    kind: str = msgspec.field(name="referenceType", default="")
    locator: str = msgspec.field(name="referenceLocator", default="")


class _Package(msgspec.Struct):
    id: str = msgspec.field(name="SPDXID", default="")
    name: str = ""
    version: str = msgspec.field(name="versionInfo", default="")
    concluded: str = msgspec.field(name="licenseConcluded", default="")
    declared: str = msgspec.field(name="licenseDeclared", default="")
    references: list[_Reference] = msgspec.field(name="externalRefs", default_factory=list)


class _Relationship(msgspec.Struct):
    element: str = msgspec.field(name="spdxElementId", default="")
    kind: str = msgspec.field(name="relationshipType", default="")
    related: str = msgspec.field(name="relatedSpdxElement", default="")


class _File(msgspec.Struct):
    """Counted."""


class _Creation(msgspec.Struct):
    created: str = ""
    creators: list[str] = []


class _Document(msgspec.Struct):
    name: str = ""
    creation: _Creation = msgspec.field(name="creationInfo", default_factory=_Creation)
    packages: list[_Package] = []
    files: list[_File] = []
    relationships: list[_Relationship] = []
    describes: list[str] = msgspec.field(name="documentDescribes", default_factory=list)


def read_sbom(predicate: bytes) -> Sbom:
    """What the SPDX document in `predicate` lists. Raises: InvalidDocument when it is none."""
    try:
        document = msgspec.json.decode(predicate, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidDocument(f"no SPDX document: {error}") from error
    described = {*document.describes}
    described |= {each.related for each in document.relationships if each.kind == "DESCRIBES"}
    packages = [each for each in document.packages if not _is_whole(each, described)]
    return Sbom(
        name=document.name,
        created=document.creation.created,
        creators=tuple(document.creation.creators),
        packages=tuple(sorted(map(_package, packages))),
        files=len(document.files),
    )


def _is_whole(package: _Package, described: set[str]) -> bool:
    """Whether it stands for all that was scanned: described by the document, and nothing that anybody installs."""
    return package.id in described and not _purl_type(package)


def _package(package: _Package) -> Package:
    said = [each for each in (package.concluded, package.declared) if each not in _UNSAID]
    licence = said[0] if said else ""
    return Package(package.name, package.version, _purl_type(package), licence)


def _purl_type(package: _Package) -> str:
    locators = (each.locator for each in package.references if each.kind == "purl")
    return next((each.removeprefix("pkg:").partition("/")[0] for each in locators), "")
