"""The sections `[materials]` and `[bases]`: what images are made from, by name and by digest.

Images among the materials are named by package URLs; patterns may be written for these, or for the names that
people know (`docker.io/library/debian:12`).
Source: BuildKit's purl form, package-url specification; OCI image-spec, annotations.md, for base images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, unquote

from builder.oci.reference import InvalidReference, parse_reference
from exporter.attest.policy.building import BUILD_WITH, NO_PROVENANCE
from exporter.attest.policy.evidence import spot_of
from exporter.attest.policy.patterns import fits, listed
from exporter.attest.policy.policy import BaseRules, MaterialRules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.attest.policy.evidence import Evidence
    from exporter.attest.policy.policy import Pin
    from exporter.attest.policy.provenance import Material
    from exporter.attest.verify.finding import Finding, Spot
    from exporter.attest.verify.graph import ImageEntry

BASE_NAME: Final = "org.opencontainers.image.base.name"
BASE_DIGEST: Final = "org.opencontainers.image.base.digest"
_IMAGES: Final = ("pkg:docker/", "pkg:oci/")


def image_name(uri: str) -> str:
    """The full name of the image that a package URL means; empty for other URIs."""
    if not uri.startswith(_IMAGES):
        return ""
    path, _, query = uri.partition("?")
    name, _, version = path.partition("/")[2].partition("@")
    digest = parse_qs(query).get("digest", [""])[0]
    text = unquote(name) + (f":{unquote(version)}" if version else "") + (f"@{digest}" if digest else "")
    try:
        return str(parse_reference(text))
    except InvalidReference:
        return ""


def check_materials(rules: MaterialRules, evidence: Evidence) -> Iterator[Finding]:
    """`[materials]`."""
    if rules == MaterialRules():
        return
    for image in evidence.images:
        found = list(evidence.provenance(image))
        if not found:
            yield spot_of(image).under("materials").failed("material", NO_PROVENANCE, hint=BUILD_WITH)
        for spot, provenance in found:
            yield from _materials(rules, spot, provenance.materials)


def check_bases(rules: BaseRules, evidence: Evidence) -> Iterator[Finding]:
    """`[bases]`."""
    if rules == BaseRules():
        return
    for image in evidence.images:
        found = list(evidence.provenance(image))
        materials = [
            (spot, material)
            for spot, each in found
            for material in each.materials
            if image_name(material.uri)
        ]
        yield from _annotated(rules, image, materials)
        if not found:
            yield spot_of(image).under("bases").failed("base", NO_PROVENANCE, hint=BUILD_WITH)
        for spot, material in materials:
            yield from _base(rules, spot, image_name(material.uri), _sha256(material))


def _materials(rules: MaterialRules, spot: Spot, materials: tuple[Material, ...]) -> Iterator[Finding]:
    for material in materials:
        names = (material.uri, image_name(material.uri))
        shown = material.uri[:200]
        if rules.denied and fits(rules.denied, *names):
            hint = f"denied: {listed(rules.denied)}"
            yield spot.under("materials.denied").failed("material", f"{shown} is denied", hint=hint)
        if rules.allowed:
            hint = f"allowed: {listed(rules.allowed)}"
            held = fits(rules.allowed, *names)
            yield spot.under("materials.allowed").judged("material", shown, held=held, hint=hint)
        if rules.digests:
            message = f"{shown} {'has a digest' if material.digest else 'has no digest'}"
            hint = "what was used cannot be known: build it again"
            yield spot.under("materials.digests").judged(
                "material-digest", message, held=bool(material.digest), hint=hint
            )
        for pin in rules.pins:
            if fits((pin.name,), *names):
                yield _pinned(pin, material, spot.under(f"materials.pins.{pin.name}"))


def _pinned(pin: Pin, material: Material, spot: Spot) -> Finding:
    algorithm, _, value = pin.digest.partition(":")
    found = material.digest.get(algorithm, "")
    message = (
        f"{material.uri[:200]} is {algorithm}:{found[:128]}" if found else f"{material.uri[:200]} has none"
    )
    return spot.judged("pin", message, held=found == value, hint=f"pinned to {pin.digest}")


def _annotated(
    rules: BaseRules, image: ImageEntry, materials: list[tuple[Spot, Material]]
) -> Iterator[Finding]:
    """What annotations say of the base: it must be allowed, and be among what provenance lists."""
    said, spot = image.manifest.annotations, spot_of(image).at("$.annotations")
    name, digest = said.get(BASE_NAME, ""), said.get(BASE_DIGEST, "")
    if name:
        try:
            name = str(parse_reference(name))
        except InvalidReference as error:
            yield spot.under("bases").failed("base", error.message)
            return
        yield from _base(rules, spot, name, digest)
    if digest and materials:
        held = digest in {_sha256(material) for _, material in materials}
        message = f"the annotation says {digest[:80]}, provenance {'too' if held else 'knows no such image'}"
        yield spot.under("bases").judged(
            "base", message, held=held, hint="one of the two is wrong: build it again"
        )


def _base(rules: BaseRules, spot: Spot, name: str, digest: str) -> Iterator[Finding]:
    if rules.allowed:
        held = fits(rules.allowed, name)
        yield spot.under("bases.allowed").judged(
            "base", name, held=held, hint=f"allowed: {listed(rules.allowed)}"
        )
    if rules.digests:
        held = digest in rules.digests
        hint = "none of the digests that are allowed"
        yield spot.under("bases.digests").judged(
            "base", f"{name} is {digest or 'unknown'}", held=held, hint=hint
        )


def _sha256(material: Material) -> str:
    found = material.digest.get("sha256", "")
    return f"sha256:{found}" if found else ""
