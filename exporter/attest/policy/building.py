"""The sections `[provenance]` and `[source]`: who built an image, how, and of what repository.

Every provenance of a platform must satisfy them: one that does says nothing about another beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exporter.attest.policy.evidence import spot_of
from exporter.attest.policy.patterns import Pattern, fits, listed
from exporter.attest.policy.policy import ProvenanceRules, SourceRules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.attest.policy.evidence import Evidence
    from exporter.attest.policy.provenance import Provenance
    from exporter.attest.verify.finding import Finding, Spot

NO_PROVENANCE: Final = "it has no provenance that could be read"
BUILD_WITH: Final = "build it with --provenance=mode=max"
_DIRTY: Final = "-dirty"


def check_provenance(rules: ProvenanceRules, evidence: Evidence) -> Iterator[Finding]:
    """`[provenance]`."""
    if rules != ProvenanceRules():
        yield from _each(evidence, "provenance", lambda spot, found: _provenance(rules, spot, found))


def check_source(rules: SourceRules, evidence: Evidence) -> Iterator[Finding]:
    """`[source]`."""
    if rules != SourceRules():
        yield from _each(evidence, "source", lambda spot, found: _source(rules, spot, found))


def _each(
    evidence: Evidence, section: str, check: Callable[[Spot, Provenance], Iterator[Finding]]
) -> Iterator[Finding]:
    for image in evidence.images:
        found = list(evidence.provenance(image))
        if not found:
            yield spot_of(image).under(section).failed("provenance", NO_PROVENANCE, hint=BUILD_WITH)
        for spot, provenance in found:
            yield from check(spot, provenance)


def _provenance(rules: ProvenanceRules, spot: Spot, found: Provenance) -> Iterator[Finding]:
    if rules.builders:
        where = spot.under("provenance.builders")
        yield _fitting(where, "builder", "builder", found.builder, rules.builders)
    if rules.build_types:
        where = spot.under("provenance.build-types")
        yield _fitting(where, "build-type", "build type", found.build_type, rules.build_types)
    if rules.mode == "max":
        message = "the steps are listed" if found.is_max else "the steps are not listed (mode=min)"
        yield spot.under("provenance.mode").judged("mode", message, held=found.is_max, hint=BUILD_WITH)
    for part in rules.complete:
        held = found.complete_request if part == "request" else found.complete_materials
        message = (
            f"the {part} {'are' if part == 'materials' else 'is'} {'all there' if held else 'not complete'}"
        )
        hint = (
            "a local context is never complete: build from a repository"
            if part == "materials"
            else BUILD_WITH
        )
        yield spot.under("provenance.complete").judged("completeness", message, held=held, hint=hint)
    if rules.reproducible:
        message = "said to be reproducible" if found.reproducible else "not said to be reproducible"
        hint = "build it with --provenance=reproducible=true"
        yield spot.under("provenance.reproducible").judged(
            "reproducible", message, held=found.reproducible, hint=hint
        )
    if rules.hermetic:
        message = "built without network" if found.hermetic else "not said to be built without network"
        hint = "build from a repository, with --network=none"
        yield spot.under("provenance.hermetic").judged("hermetic", message, held=found.hermetic, hint=hint)


def _source(rules: SourceRules, spot: Spot, found: Provenance) -> Iterator[Finding]:
    if rules.allowed:
        source = found.source or found.repository
        yield _fitting(spot.under("source.allowed"), "source", "source", source, rules.allowed)
    if rules.revisions:
        where = spot.under("source.revisions")
        yield _fitting(where, "revision", "revision", found.revision.removesuffix(_DIRTY), rules.revisions)
    if not rules.dirty:
        clean = bool(found.revision) and not found.revision.endswith(_DIRTY)
        message = f"revision {found.revision[:100] or 'unknown'}"
        hint = "commit what was changed and build again" if found.revision else "build from a git repository"
        yield spot.under("source.dirty").judged("dirty", message, held=clean, hint=hint)


def _fitting(spot: Spot, check: str, what: str, value: str, allowed: tuple[Pattern, ...]) -> Finding:
    hint = f"allowed: {listed(allowed)}"
    return spot.judged(check, f"{what} {value[:200] or 'unknown'}", held=fits(allowed, value), hint=hint)
