"""What changed from one image to another, by what their SBOMs and provenance say.

Times, invocations and digests of the statements differ between any two builds, and are no changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from exporter.attest.reading.provenance import PREFIX, Provenance, read_provenance
from exporter.attest.reading.sbom import SPDX, Package, Sbom, read_sbom

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from exporter.attest.reading.attested import AttestedImage, Said

Kind = Literal["platform", "statement", "provenance", "parameter", "material", "package"]
Value = dict[str, str]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing of a platform. `before` or `after` is None where it is not there.

    Their members: of a package `version` and `licence`, of a material `digest`, of the others `value`.
    """

    platform: str
    kind: Kind
    name: str
    before: Value | None
    after: Value | None


def compare(before: Sequence[AttestedImage], after: Sequence[AttestedImage]) -> tuple[Change, ...]:
    """The changes, by platform. Raises: InvalidDocument for a malformed SBOM or provenance."""
    old, new = ({str(each.platform): each for each in images} for images in (before, after))
    changes: list[Change] = []
    for platform in dict.fromkeys([*old, *new]):
        if platform in old and platform in new:
            changes += _images(platform, old[platform], new[platform])
        else:
            changes.append(
                Change(
                    platform=platform,
                    kind="platform",
                    name=platform,
                    before=_digest(old.get(platform)),
                    after=_digest(new.get(platform)),
                )
            )
    return tuple(changes)


def _digest(image: AttestedImage | None) -> Value | None:
    return None if image is None else {"value": str(image.image.digest)}


def _images(platform: str, before: AttestedImage, after: AttestedImage) -> Iterator[Change]:
    old, new = _provenance(before), _provenance(after)
    if old and new:
        yield from _members(platform, "provenance", "value", _facts(old), _facts(new))
        yield from _members(platform, "parameter", "value", old.parameters, new.parameters)
        yield from _members(platform, "material", "digest", _materials(old), _materials(new))
    else:
        yield from _members(platform, "statement", "value", _type(old), _type(new))
    listed, listed_after = _sboms(before), _sboms(after)
    names, names_after = dict.fromkeys(listed, SPDX), dict.fromkeys(listed_after, SPDX)
    yield from _members(platform, "statement", "value", names, names_after)
    for name in (each for each in listed if each in listed_after):
        yield from _packages(platform, listed[name], listed_after[name])


def _provenance(image: AttestedImage) -> Provenance | None:
    found: Iterator[Said] = (each for each in image.statements if each.predicate_type.startswith(PREFIX))
    said = next(found, None)
    return None if said is None else read_provenance(said.predicate_type, said.predicate)


def _sboms(image: AttestedImage) -> dict[str, Sbom]:
    """By name; the first is that of the image itself, whatever its scanner called it."""
    found = [read_sbom(each.predicate) for each in image.statements if each.predicate_type == SPDX]
    return {f"SBOM {each.name}" if number else "SBOM": each for number, each in enumerate(found)}


def _type(found: Provenance | None) -> dict[str, str]:
    return {"provenance": found.type} if found else {}


def _materials(found: Provenance) -> dict[str, str]:
    return {each.uri: each.digest for each in found.materials}


def _facts(found: Provenance) -> dict[str, str]:
    facts = {
        "builder": found.builder,
        "build type": found.build_type,
        "source": found.source,
        "revision": found.revision,
        "file": found.path,
    }
    claims = {name: "yes" if value else "no" for name, value in found.claims.items()}
    return {name: value for name, value in facts.items() if value} | claims


def _members(
    platform: str, kind: Kind, member: str, before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[Change]:
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if old != new:
            yield Change(
                platform=platform,
                kind=kind,
                name=name,
                before=None if old is None else {member: old},
                after=None if new is None else {member: new},
            )


def _packages(platform: str, before: Sbom, after: Sbom) -> Iterator[Change]:
    """Versions of one package that went and came are paired; what is over was removed or added."""
    old, new = _by_name(before), _by_name(after)
    for name in sorted(old.keys() | new.keys()):
        gone = sorted(old.get(name, set()) - new.get(name, set()))
        came = sorted(new.get(name, set()) - old.get(name, set()))
        for number in range(max(len(gone), len(came))):
            yield Change(
                platform=platform,
                kind="package",
                name=name,
                before=_described(gone[number]) if number < len(gone) else None,
                after=_described(came[number]) if number < len(came) else None,
            )


def _by_name(sbom: Sbom) -> dict[str, set[Package]]:
    found: dict[str, set[Package]] = {}
    for package in sbom.packages:
        name = f"{package.name} ({package.type})" if package.type else package.name
        found.setdefault(name, set()).add(package)
    return found


def _described(package: Package) -> Value:
    return {"version": package.version, "licence": package.licence}
