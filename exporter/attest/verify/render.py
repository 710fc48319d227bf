"""The report for people, for programs, and for code scanners (SARIF 2.1.0)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.digest import encode_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.attest.verify.finding import Finding

_WORDS: Final = {"held": "ok", "failed": "FAIL", "skipped": "-"}
_SARIF: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def as_text(name: str, findings: Sequence[Finding]) -> str:
    """A line for each check, by platform, and a sum."""
    lines = [name]
    for platform in dict.fromkeys(["", *(each.platform for each in findings)]):
        group = [each for each in findings if each.platform == platform]
        if group:
            lines += ["", platform or "whole image", *(line for each in group for line in _lines(each))]
    counts = Counter(each.state for each in findings)
    verdict = "FAILED" if counts["failed"] else "verified"
    sums = f"{counts['held']} held, {counts['failed']} failed, {counts['skipped']} not checked"
    return "\n".join([*lines, "", f"{verdict}: {sums}", ""])


def as_json(name: str, root: str, findings: Sequence[Finding]) -> bytes:
    """`image`, `digest`, `verified` and `findings`, the last as `Finding` has them."""
    verified = all(each.state != "failed" for each in findings)
    report = {"image": name, "digest": root, "verified": verified, "findings": list(findings)}
    return msgspec.json.format(encode_json(report), indent=2)


def as_sarif(name: str, version: str, findings: Sequence[Finding]) -> bytes:
    """What failed, as results whose locations are digests below the image."""
    failed = [each for each in findings if each.state == "failed"]
    rules = [{"id": each} for each in dict.fromkeys(each.check for each in failed)]
    driver = {"name": "dockyard verify", "version": version, "rules": rules}
    run = {"tool": {"driver": driver}, "results": [_result(name, each) for each in failed]}
    return msgspec.json.format(encode_json({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}), indent=2)


def _lines(finding: Finding) -> Iterator[str]:
    where = finding.digest[:19] + (f" {finding.path}" if finding.path else "")
    message = finding.message + (f" [{finding.rule}]" if finding.rule else "")
    yield f"  {_WORDS[finding.state]:<5} {finding.check:<18} {where}  {_printable(message)}"
    if finding.state == "failed" and finding.hint:
        yield f"{'':<27}{_printable(finding.hint)}"


def _result(name: str, finding: Finding) -> dict[str, object]:
    logical = {"fullyQualifiedName": f"{name}@{finding.digest}{finding.path and '#' + finding.path}"}
    said = f"{finding.platform}: {finding.message}" if finding.platform else finding.message
    result: dict[str, object] = {
        "ruleId": finding.check,
        "level": "error",
        "message": {"text": f"{said}\n{finding.hint}" if finding.hint else said},
        "locations": [{"logicalLocations": [logical]}],
    }
    return result | ({"properties": {"policy": finding.rule}} if finding.rule else {})


def _printable(text: str) -> str:
    """Text of a hostile document, without what a terminal would obey."""
    return "".join(char if char.isprintable() else "?" for char in text)
