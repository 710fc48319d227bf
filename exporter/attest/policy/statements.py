"""The sections `[attestations]` and `[age]`: which statements there must be, about what, and from when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from exporter.attest.policy.building import BUILD_WITH
from exporter.attest.policy.evidence import spot_of
from exporter.attest.policy.provenance import TYPES, Provenance
from exporter.attest.policy.sbom import Sbom
from exporter.attest.verify.predicates import SPDX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.attest.policy.evidence import Evidence
    from exporter.attest.policy.policy import AgeRules, AttestationRules
    from exporter.attest.verify.finding import Finding, Spot

_TYPES: Final[dict[str, tuple[str, ...]]] = {"provenance": TYPES, "sbom": (SPDX,)}
_HINTS: Final = {"provenance": BUILD_WITH, "sbom": "build it with --sbom=true"}
_SKEW: Final = timedelta(minutes=5)
"""How far the clock of a builder may be ahead of ours."""


def check_statements(rules: AttestationRules, evidence: Evidence) -> Iterator[Finding]:
    """`[attestations]`."""
    for image in evidence.images:
        types = {each.statement.claims.predicate_type for each in evidence.about(image)}
        for wanted in rules.required:
            held = any(each in types for each in _TYPES.get(wanted, (wanted,)))
            message = f"there is {wanted}" if held else f"there is no {wanted}"
            hint = _HINTS.get(wanted, "attest it")
            yield (
                spot_of(image)
                .under("attestations.required")
                .judged("required", message, held=held, hint=hint)
            )
    for said in () if rules.empty_subjects else evidence.said:
        held = bool(said.statement.claims.subjects)
        message = "names its subject" if held else "names no subject, so it may be about any image"
        spot = said.spot.at("$.subject").under("attestations.empty-subjects")
        yield spot.judged("empty-subjects", message, held=held, hint="build the image with a name: -t NAME")


def check_ages(rules: AgeRules, evidence: Evidence) -> Iterator[Finding]:
    """`[age]`. A statement without a time is as old as can be."""
    for said in evidence.said:
        match said.predicate:
            case Provenance(finished=finished) if rules.provenance is not None:
                yield _age(said.spot.under("age.provenance"), finished, rules.provenance, evidence.now)
            case Sbom(created=created) if rules.sbom is not None:
                yield _age(said.spot.under("age.sbom"), created, rules.sbom, evidence.now)
    for name, limit, kind in (("provenance", rules.provenance, Provenance), ("sbom", rules.sbom, Sbom)):
        for image in evidence.images if limit is not None else ():
            if not any(isinstance(each.predicate, kind) for each in evidence.about(image)):
                spot = spot_of(image).under(f"age.{name}")
                yield spot.failed("age", f"there is no {name} to be of any age", hint=_HINTS[name])


def _age(spot: Spot, made: datetime | None, limit: timedelta, now: datetime) -> Finding:
    hint = f"at most {_shown(limit)} are allowed: build and attest the image anew"
    if made is None or made.tzinfo is None:
        return spot.failed("age", "it does not say when it was made", hint=hint)
    if made > now + _SKEW:
        return spot.failed(
            "age", f"made in the future: {made.isoformat()}", hint="is the clock right here, and there?"
        )
    return spot.judged("age", f"made {_shown(now - made)} ago", held=now - made <= limit, hint=hint)


def _shown(length: timedelta) -> str:
    hours = max(0, int(length.total_seconds() // 3600))
    return f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
