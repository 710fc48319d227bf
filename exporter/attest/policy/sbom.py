"""What an SBOM lists that policies ask for: packages with versions, licences and package URLs. Nothing is trusted.

Source: SPDX 2.3, clauses 6 and 7; package-url specification.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from exporter.attest.policy.licences import NOT_SAID


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A package. `purls` are its package URLs, `kind` the type in the first of them; `licence` is an expression."""

    id: str
    name: str
    version: str
    purls: tuple[str, ...]
    licence: str

    @property
    def kind(self) -> str:
        """The world that the package is of: deb, npm, pypi; empty when it does not say."""
        return self.purls[0].removeprefix("pkg:").partition("/")[0].lower() if self.purls else ""

    def __str__(self) -> str:
        return f"{self.name[:100]} {self.version[:100]}".rstrip()


class Sbom(msgspec.Struct, frozen=True, kw_only=True):
    """What an image is made of. `created`: when it was looked at."""

    created: datetime
    packages: tuple[Package, ...]


class _Reference(msgspec.Struct, frozen=True):
    kind: str = msgspec.field(name="referenceType", default="")
    locator: str = msgspec.field(name="referenceLocator", default="")


class _Package(msgspec.Struct, frozen=True):
    name: str
    id: str = msgspec.field(name="SPDXID")
    version: str = msgspec.field(name="versionInfo", default="")
    concluded: str = msgspec.field(name="licenseConcluded", default="")
    declared: str = msgspec.field(name="licenseDeclared", default="")
    references: tuple[_Reference, ...] = msgspec.field(name="externalRefs", default=())


class _Creation(msgspec.Struct, frozen=True):
    created: datetime


class _Document(msgspec.Struct, frozen=True, rename="camel"):
    creation_info: _Creation
    packages: tuple[_Package, ...] = ()


def read_sbom(predicate: bytes) -> Sbom:
    """The SBOM in an SPDX document. Raises: ValueError when it cannot be read."""
    try:
        found = msgspec.json.decode(predicate, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None
    return Sbom(created=found.creation_info.created, packages=tuple(map(_package, found.packages)))


def _package(found: _Package) -> Package:
    return Package(
        id=found.id,
        name=found.name,
        version=found.version,
        purls=tuple(each.locator for each in found.references if each.kind == "purl"),
        licence=found.declared if found.concluded in NOT_SAID else found.concluded,
    )
