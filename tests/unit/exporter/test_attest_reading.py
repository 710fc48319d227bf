"""What is read out of SBOMs and provenance of any author."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attested import made, run
from hypothesis import given
from hypothesis import strategies as st

from builder.oci.manifest import InvalidDocument
from exporter.attest.reading.provenance import Material, read_provenance
from exporter.attest.reading.sbom import Package, read_sbom

V1, V02 = "https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v0.2"
BUILT = run(None)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def test_both_versions_of_one_provenance_say_the_same() -> None:
    old, new = (
        read_provenance(kind, json.dumps(made(BUILT, version=version)).encode())
        for kind, version in ((V02, "v0.2"), (V1, "v1"))
    )
    for member in ("builder", "source", "revision", "path", "parameters", "materials", "started", "steps"):
        assert getattr(old, member) == getattr(new, member)
    assert new.parameters["build-arg:KEY"] == "https://xxxxx@example.com"
    assert (new.revision, new.path, new.steps) == ("abc-dirty", "Dockerfile", 2)


def test_parameters_of_other_builders_are_named_by_their_path() -> None:
    predicate = {
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": {"workflow": {"ref": "refs/heads/main", "inputs": [1, 2]}},
            "resolvedDependencies": [{"uri": "git+https://x", "digest": {"gitCommit": "ab"}}, {"name": "y"}],
        },
        "runDetails": {"builder": {"id": "https://github.com/actions/runner"}},
    }
    found = read_provenance(V1, json.dumps(predicate).encode())
    assert found.parameters == {"workflow.ref": "refs/heads/main", "workflow.inputs": "[1,2]"}
    assert found.materials == (Material("git+https://x", "gitCommit:ab"), Material("", ""))


@given(JSON)
def test_any_external_parameters_are_read_or_refused_in_words(parameters: Any) -> None:
    predicate = {"buildDefinition": {"buildType": "x", "externalParameters": parameters}}
    try:
        found = read_provenance(V1, json.dumps(predicate).encode())
    except InvalidDocument:
        return
    assert all(isinstance(value, str) for value in found.parameters.values())


def _document(*packages: dict[str, Any], **members: Any) -> bytes:
    return json.dumps({"spdxVersion": "SPDX-2.3", "name": "x", "packages": packages, **members}).encode()


@pytest.mark.parametrize(
    ("concluded", "declared", "shown"),
    [
        ("MIT", "GPL-2.0-only", "MIT"),
        ("NOASSERTION", "GPL-2.0-only", "GPL-2.0-only"),
        ("NONE", "NOASSERTION", ""),
    ],
)
def test_the_licence_is_what_was_concluded_or_else_declared(
    concluded: str, declared: str, shown: str
) -> None:
    package = {"name": "a", "licenseConcluded": concluded, "licenseDeclared": declared}
    assert read_sbom(_document(package)).packages == (Package("a", "", "", shown),)


def test_the_package_that_stands_for_the_whole_image_is_none() -> None:
    root, other = {"SPDXID": "SPDXRef-r", "name": "image"}, {"SPDXID": "SPDXRef-a", "name": "a"}
    assert [
        each.name for each in read_sbom(_document(root, other, documentDescribes=["SPDXRef-r"])).packages
    ] == ["a"]


def test_a_described_package_that_people_install_is_one() -> None:
    reference = {"referenceType": "purl", "referenceLocator": "pkg:npm/a@1"}
    package = {"SPDXID": "SPDXRef-r", "name": "a", "externalRefs": [reference]}
    found = read_sbom(_document(package, documentDescribes=["SPDXRef-r"]))
    assert found.packages == (Package("a", "", "npm", ""),)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"packages": [1]}', b"[" * 100_000])
def test_what_is_no_document_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidDocument):
        read_sbom(content)
    with pytest.raises(InvalidDocument):
        read_provenance(V1, content)
