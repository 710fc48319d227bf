"""A policy on an image: every section in the order of the file's documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.attest.policy.building import check_provenance, check_source
from exporter.attest.policy.marks import check_annotations, check_labels
from exporter.attest.policy.materials import check_bases, check_materials
from exporter.attest.policy.packages import check_licences, check_packages
from exporter.attest.policy.signatures import check_signed
from exporter.attest.policy.statements import check_ages, check_statements
from exporter.attest.verify.finding import Finding, Spot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.attest.policy.evidence import Evidence
    from exporter.attest.policy.policy import Policy


def judge(policy: Policy, evidence: Evidence) -> Iterator[Finding]:
    """What `policy` finds of what an image says of itself; of `[inputs]` builds are told.

    Raises: DockyardError when the place of signatures cannot be asked.
    """
    for said in evidence.said:
        if said.problem:
            # What no rule can look into must not pass beside another one that all rules are content with.
            yield said.spot.failed(
                "predicate", f"cannot be judged: {said.problem}", hint="attest the image anew"
            )
    yield from check_signed(policy.signatures, evidence)
    yield from check_statements(policy.attestations, evidence)
    yield from check_provenance(policy.provenance, evidence)
    yield from check_source(policy.source, evidence)
    yield from check_materials(policy.materials, evidence)
    yield from check_bases(policy.bases, evidence)
    yield from check_packages(policy.packages, evidence)
    yield from check_licences(policy.licenses, evidence)
    yield from check_ages(policy.age, evidence)
    yield from check_labels(policy.labels, evidence)
    yield from check_annotations(policy.annotations, evidence)


def judge_whole(policy: Policy, evidence: Evidence, findings: Sequence[Finding]) -> Iterator[Finding]:
    """What `policy` finds of an image that is here to be used; `findings` are those of its verification.

    Raises: DockyardError when the place of signatures cannot be asked.
    """
    if policy.require_complete:
        yield _completeness(findings, evidence)
    yield from _platforms(policy, evidence)
    yield from judge(policy, evidence)


def _completeness(findings: Sequence[Finding], evidence: Evidence) -> Finding:
    """`require-complete`: nothing of the image is elsewhere."""
    left = [each for each in findings if each.state == "skipped" and each.check == "blob"]
    spot = Spot(evidence.root.digest).under("require-complete")
    message = f"{len(left)} blobs are not here, and were not checked" if left else "all of it is here"
    return spot.judged("complete", message, held=not left, hint="bring them here: dockyard pull")


def _platforms(policy: Policy, evidence: Evidence) -> Iterator[Finding]:
    """`platforms`: each must be there."""
    there = {image.platform for image in evidence.images}
    for platform in map(str, policy.platforms):
        held = platform in there
        message = "is there" if held else "there is no image for it"
        hint = f"the image has {', '.join(sorted(there)) or 'none'}"
        yield (
            Spot(evidence.root.digest, platform)
            .under("platforms")
            .judged("platform-required", message, held=held, hint=hint)
        )
