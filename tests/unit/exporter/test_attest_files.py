"""Attestations as files: what they are called, what they are about, and what may be in their way."""

from __future__ import annotations

import hashlib
import json

import msgspec
import pytest
from made import AMD64, ARM64
from trees import file, node, result

from exporter.attest.files import Naming, attestation_nodes, with_attestations
from exporter.attest.statement import Attestation
from exporter.errors import ExportError

PROVENANCE = Attestation(
    predicate_type="https://slsa.dev/provenance/v1",
    predicate=msgspec.Raw(b'{"a":1}'),
    filename="provenance.json",
)
STAGE = msgspec.structs.replace(PROVENANCE, filename="sbom-base.spdx.json")
SINGLE = Naming(split=False, several=False)


def paths(*about: Attestation, naming: Naming, several: bool = False) -> list[str]:
    results = [
        (result(file("f"), platform=platform), about)
        for platform in ((AMD64, ARM64) if several else (AMD64,))
    ]
    return [each.entry.path for each in attestation_nodes(results, naming, mtime_ns=5)]


@pytest.mark.parametrize(
    ("naming", "several", "expected"),
    [
        (SINGLE, False, ["provenance.json", "sbom-base.spdx.json"]),
        (
            Naming(split=False, several=False, prefix="a-"),
            False,
            ["a-provenance.json", "a-sbom-base.spdx.json"],
        ),
        (
            Naming(split=True, several=True),
            False,
            ["linux_amd64/provenance.json", "linux_amd64/sbom-base.spdx.json"],
        ),
        (
            Naming(split=False, several=True),
            True,
            [
                "provenance.linux_amd64.json",
                "provenance.linux_arm64.json",
                "sbom-base.spdx.linux_amd64.json",
                "sbom-base.spdx.linux_arm64.json",
            ],
        ),
    ],
)
def test_statements_are_called_as_buildkit_calls_them(
    naming: Naming, several: bool, expected: list[str]
) -> None:
    assert paths(PROVENANCE, STAGE, naming=naming, several=several) == expected


def test_a_statement_is_about_every_regular_file_and_for_its_owner_alone() -> None:
    files = result(node("d", "dir"), file("d/a", b"x"), node("l", "symlink", link="d/a"), file("b", b"y"))
    (made,) = attestation_nodes([(files, [PROVENANCE])], SINGLE, mtime_ns=5)
    assert made.content is not None
    content = made.content.open().read()
    assert (made.entry.mode, made.entry.mtime_ns, made.entry.size) == (0o600, 5, len(content))
    assert json.loads(content)["subject"] == [
        {"name": name, "digest": {"sha256": hashlib.sha256(text).hexdigest()}}
        for name, text in [("b", b"y"), ("d/a", b"x")]
    ]


def test_two_statements_of_one_name_are_refused() -> None:
    with pytest.raises(ExportError, match=r"duplicate attestation path name provenance\.json"):
        paths(PROVENANCE, PROVENANCE, naming=SINGLE)


def test_statements_stand_where_their_names_belong() -> None:
    added = [file("m"), file("z")]
    merged = with_attestations([file("a"), node("n", "dir"), file("n/x")], added)
    assert [each.entry.path for each in merged] == ["a", "m", "n", "n/x", "z"]


def test_a_file_of_the_result_is_never_replaced_by_a_statement() -> None:
    with pytest.raises(ExportError, match="the result has a file of that name"):
        list(with_attestations([file("provenance.json")], [file("provenance.json")]))
