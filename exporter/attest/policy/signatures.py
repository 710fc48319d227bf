"""The section `[signatures]`: by how many of which keys what must be signed.

A key that is not listed counts for nothing; to revoke one is to take it out of the list. Keys are counted, not
signatures: two of one key are one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.attest.policy.evidence import spot_of
from exporter.attest.signing.checking import check_signatures
from exporter.attest.verify.finding import Finding, Spot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from builder.oci.descriptor import Descriptor
    from exporter.attest.policy.evidence import Evidence
    from exporter.attest.policy.policy import SignatureRules
    from exporter.attest.signing.checking import Signature, SignaturePlace
    from exporter.attest.signing.keys import PublicKey
    from exporter.attest.verify.statements import Statement


def check_signed(rules: SignatureRules, evidence: Evidence) -> Iterator[Finding]:
    """`[signatures]`. Raises: DockyardError when the place of signatures cannot be asked."""
    if not rules.keys:
        return
    keys = tuple(dict.fromkeys(rules.keys))
    found = _Found(evidence.signatures(), keys)
    if "index" in rules.signed:
        spot = Spot(evidence.root.digest).under("signatures.signed")
        yield _judged(rules, spot, "the image", found.over(evidence.root), keys)
    for image in evidence.images if "manifests" in rules.signed else ():
        spot = spot_of(image).under("signatures.signed")
        yield _judged(rules, spot, "the manifest", found.over(image.descriptor), keys)
    for said in evidence.said if "statements" in rules.signed else ():
        spot = said.spot.under("signatures.signed")
        what = f"the statement {said.statement.claims.predicate_type[:80]}"
        yield _judged(rules, spot, what, found.about(said.statement), keys)


class _Found:
    """The signatures of one place by key; each is asked alone, because an envelope may have those of several."""

    def __init__(self, place: SignaturePlace, keys: Sequence[PublicKey]) -> None:
        self._place = place
        self._keys = keys
        self._known: dict[str, dict[PublicKey, list[Signature]]] = {}

    def over(self, blob: Descriptor) -> set[PublicKey]:
        """The keys that signed what `blob` points at as a whole."""
        return {
            key
            for key, found in self._signatures(blob).items()
            if any(each.kind == "image" for each in found)
        }

    def about(self, statement: Statement) -> set[PublicKey]:
        """The keys that signed a statement: the same predicate of the same type about the same image."""
        claims = statement.claims
        signers: set[PublicKey] = set()
        if statement.envelope is not None:
            signers |= {key for key in self._keys if statement.envelope.signed_by([key])}
        for key, found in self._signatures(statement.image).items():
            signed = [each.claims for each in found if each.claims is not None]
            same = (each for each in signed if each.predicate_type == claims.predicate_type)
            if any(each.predicate == claims.predicate for each in same):
                signers.add(key)
        return signers

    def _signatures(self, blob: Descriptor) -> dict[PublicKey, list[Signature]]:
        if blob.digest not in self._known:
            self._known[blob.digest] = {
                key: [each for each in check_signatures(self._place, blob, [key]) if each.holds]
                for key in self._keys
            }
        return self._known[blob.digest]


def _judged(
    rules: SignatureRules, spot: Spot, what: str, signers: set[PublicKey], keys: Sequence[PublicKey]
) -> Finding:
    held = len(signers) >= rules.threshold
    by = ", ".join(key.origin for key in keys if key in signers) or "no key that is allowed"
    message = f"{what} is signed by {by}" + ("" if held else f"; {rules.threshold} must sign")
    hint = f"sign it with {', '.join(key.origin for key in keys if key not in signers)}: dockyard sign"
    return spot.judged("signed", message, held=held, hint=hint)
