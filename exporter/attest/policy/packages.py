"""The sections `[packages]` and `[licenses]`: what SBOMs list, whichever of them does.

An SBOM of a stage or of the context counts like that of the image: what is forbidden must not hide in another one.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from exporter.attest.policy.evidence import spot_of
from exporter.attest.policy.licences import NOT_SAID, LicenceJudge, UnreadableLicence
from exporter.attest.policy.patterns import Pattern, fits, listed
from exporter.attest.policy.policy import LicenceRules, PackageRule, PackageRules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.attest.policy.evidence import Evidence
    from exporter.attest.policy.sbom import Package, Sbom
    from exporter.attest.verify.finding import Finding, Spot

_NO_SBOM: Final = "it has no SBOM that could be read"
_BUILD_WITH: Final = "build it with --sbom=true"
_SHOWN: Final = 20
"""Packages of one SBOM that are named for one rule."""


def check_packages(rules: PackageRules, evidence: Evidence) -> Iterator[Finding]:
    """`[packages]`."""
    if rules == PackageRules():
        return
    for image in evidence.images:
        sboms = list(evidence.sboms(image))
        if not sboms:
            yield spot_of(image).under("packages").failed("package", _NO_SBOM, hint=_BUILD_WITH)
            continue
        for number, rule in enumerate(rules.forbidden):
            for spot, sbom in sboms:
                yield from _forbidden(rule, spot.under(f"packages.forbidden[{number}]"), sbom)
        for number, rule in enumerate(rules.required):
            found = next(
                (each for _, sbom in sboms for each in sbom.packages if _matches(rule, each, unknown=False)),
                None,
            )
            message = f"there is {found}" if found else f"there is no {_described(rule)}"
            spot = spot_of(image).under(f"packages.required[{number}]")
            yield spot.judged("package", message, held=found is not None, hint=rule.reason)


def check_licences(rules: LicenceRules, evidence: Evidence) -> Iterator[Finding]:
    """`[licenses]`."""
    if rules == LicenceRules():
        return
    judge = LicenceJudge(rules.allowed, rules.denied)
    for image in evidence.images:
        sboms = list(evidence.sboms(image))
        if not sboms:
            yield spot_of(image).under("licenses").failed("license", _NO_SBOM, hint=_BUILD_WITH)
        for spot, sbom in sboms:
            yield from _licences(rules, judge, spot, sbom)


def _forbidden(rule: PackageRule, spot: Spot, sbom: Sbom) -> Iterator[Finding]:
    found = [each for each in sbom.packages if _matches(rule, each, unknown=True)]
    yield from (spot.failed("package", f"{each} is forbidden", hint=rule.reason) for each in found[:_SHOWN])
    if len(found) > _SHOWN:
        yield spot.failed("package", f"and {len(found) - _SHOWN} more", hint=rule.reason)
    if not found:
        yield spot.held("package", f"none of {len(sbom.packages)} packages is {_described(rule)}")


def _matches(rule: PackageRule, package: Package, *, unknown: bool) -> bool:
    """Whether all that the rule says fits; `unknown`: whether a version that is not said does."""
    named = rule.name.matches(package.name)
    located = rule.purl == Pattern("*") or fits((rule.purl,), *package.purls)
    if not (named and located and rule.version.comparators):
        return named and located
    return rule.version.holds(package.version, package.kind) if package.version else unknown


def _described(rule: PackageRule) -> str:
    name = rule.name if rule.purl == Pattern("*") else rule.purl
    return f"{name} {rule.version}".rstrip()


def _licences(rules: LicenceRules, judge: LicenceJudge, spot: Spot, sbom: Sbom) -> Iterator[Finding]:
    looked_at = [each for each in sbom.packages if not fits(rules.exempt, each.name)]
    wrong = (found for each in looked_at if (found := _licence(rules, judge, spot, each)) is not None)
    first = list(islice(wrong, _SHOWN))
    yield from first
    if left := sum(1 for _ in wrong):
        yield spot.under("licenses").failed("license", f"and {left} more")
    if not first:
        yield spot.under("licenses").held(
            "license", f"{len(looked_at)} packages, all with licences that may be"
        )


def _licence(rules: LicenceRules, judge: LicenceJudge, spot: Spot, package: Package) -> Finding | None:
    """What is wrong with a package's licence; None when nothing is."""
    try:
        if package.licence not in NOT_SAID and judge.accepts(package.licence):
            return None
        problem = "" if package.licence not in NOT_SAID else "has no licence that is known"
    except UnreadableLicence as error:
        problem = f"has {error}"
    if problem:
        if rules.unknown == "allow":
            return None
        hint = "find out, and exempt it by name"
        return spot.under("licenses.unknown").failed("license", f"{package} {problem}", hint=hint)
    hint = f"allowed: {listed(rules.allowed)}" if rules.allowed else f"denied: {listed(rules.denied)}"
    return spot.under("licenses").failed("license", f"{package} is under {package.licence[:200]}", hint=hint)
