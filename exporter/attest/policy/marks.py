"""The sections `[labels]` and `[annotations]`: what an image and its index must say of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.attest.policy.evidence import spot_of
from exporter.attest.verify.finding import Spot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.attest.policy.evidence import Evidence
    from exporter.attest.policy.patterns import Pattern
    from exporter.attest.policy.policy import AnnotationRules
    from exporter.attest.verify.finding import Finding


def check_labels(rules: Mapping[str, Pattern], evidence: Evidence) -> Iterator[Finding]:
    """`[labels]`, of the config of every platform."""
    for image in evidence.images:
        spot = Spot(image.manifest.config.digest, image.platform, "$.config.Labels")
        found = image.config.config.labels or {}
        yield from _marks("label", rules, found, spot, "labels", "--label or LABEL")


def check_annotations(rules: AnnotationRules, evidence: Evidence) -> Iterator[Finding]:
    """`[annotations.index]` and `[annotations.manifest]`."""
    spot = Spot(evidence.root.digest, path="$.annotations").under("annotations.index")
    top = next((index for entry, index in evidence.indexes if entry.digest == evidence.root.digest), None)
    if rules.index and top is None:
        yield spot.failed("annotation", "the image has no index", hint="build it with attestations")
    elif top is not None:
        where = "--annotation index:NAME=VALUE"
        yield from _marks("annotation", rules.index, top.annotations, spot, "annotations.index", where)
    for image in evidence.images:
        where = "--annotation manifest:NAME=VALUE"
        at = spot_of(image).at("$.annotations")
        found = image.manifest.annotations
        yield from _marks("annotation", rules.manifest, found, at, "annotations.manifest", where)


def _marks(
    check: str, rules: Mapping[str, Pattern], found: Mapping[str, str], spot: Spot, section: str, where: str
) -> Iterator[Finding]:
    for name, wanted in rules.items():
        value = found.get(name)
        message = f"{name} is not there" if value is None else f"{name} is {value[:200]!r}"
        held = value is not None and wanted.matches(value)
        hint = f"it must be {str(wanted)!r}: {where}"
        yield spot.under(f"{section}.{name}").judged(check, message, held=held, hint=hint)
