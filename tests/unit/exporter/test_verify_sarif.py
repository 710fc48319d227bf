"""The report for code scanners has the members of SARIF 2.1.0, and no others."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exporter.attest.verify.finding import Finding
from exporter.attest.verify.render import as_sarif

TEXT = st.text(max_size=20)
FINDINGS = st.lists(
    st.builds(
        Finding,
        check=st.sampled_from(["blob", "subject", "age"]),
        state=st.sampled_from(["held", "failed", "skipped"]),
        digest=st.just("sha256:" + "a" * 64),
        message=TEXT,
        platform=TEXT,
        path=TEXT,
        hint=TEXT,
        rule=TEXT,
    ),
    max_size=5,
)
# Members that dockyard uses, and whether SARIF demands them: sections 3.13 to 3.33 of the standard.
SHAPES: dict[str, dict[str, bool]] = {
    "log": {"$schema": False, "version": True, "runs": True},
    "run": {"tool": True, "results": False},
    "tool": {"driver": True},
    "driver": {"name": True, "version": False, "rules": False},
    "rule": {"id": True},
    "result": {
        "ruleId": False, "level": False, "message": True, "locations": False, "properties": False,
    },
    "message": {"text": True},
    "location": {"logicalLocations": False},
    "logical": {"fullyQualifiedName": False},
}  # fmt: skip


def require_shape(name: str, value: Any) -> None:
    shape = SHAPES[name]
    assert set(value) <= set(shape), f"{name} has members that SARIF does not"
    assert {member for member, demanded in shape.items() if demanded} <= set(value)


@given(FINDINGS)
def test_any_findings_make_a_report_of_the_standards_shape(findings: list[Finding]) -> None:
    report = json.loads(as_sarif("app:1", "1", findings))
    (run,) = report["runs"]
    driver = run["tool"]["driver"]
    for name, value in (("log", report), ("run", run), ("tool", run["tool"]), ("driver", driver)):
        require_shape(name, value)
    assert report["version"] == "2.1.0"
    rules = [rule["id"] for rule in driver["rules"]]
    assert len(rules) == len(set(rules))
    for rule in driver["rules"]:
        require_shape("rule", rule)
    assert len(run["results"]) == sum(each.state == "failed" for each in findings)
    for result in run["results"]:
        require_shape("result", result)
        require_shape("message", result["message"])
        assert result["ruleId"] in rules
        assert result["level"] in ("none", "note", "warning", "error")
        for location in result["locations"]:
            require_shape("location", location)
            for logical in location["logicalLocations"]:
                require_shape("logical", logical)
