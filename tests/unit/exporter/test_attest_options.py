"""`--attest`, `--provenance` and `--sbom`, with the words and messages of buildx."""

from __future__ import annotations

import pytest

from builder.system.errors import DockyardError
from exporter.attest.options import (
    DEFAULT_PROVENANCE,
    Attestations,
    ProvenanceOptions,
    SbomOptions,
    parse_attestations,
)


def parsed(*attest: str, provenance: str | None = None, sbom: str | None = None) -> Attestations:
    return parse_attestations(attest, provenance=provenance, sbom=sbom, default=True)


def test_without_a_word_provenance_is_made_where_it_can_be_kept() -> None:
    assert parsed() == Attestations(provenance=DEFAULT_PROVENANCE)


def test_without_the_default_nothing_is_attested() -> None:
    assert parse_attestations((), provenance=None, sbom=None, default=False) == Attestations()


@pytest.mark.parametrize("attest", [("type=provenance,disabled=true",), ("type=provenance,disabled=1",)])
def test_provenance_can_be_turned_off(attest: tuple[str, ...]) -> None:
    assert parsed(*attest).provenance is None
    assert parsed(provenance="false").provenance is None


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("true", ProvenanceOptions(mode="max")),
        ("max", ProvenanceOptions(mode="max")),
        ("min", ProvenanceOptions(mode="min")),
        ("mode=full,version=v0.2", ProvenanceOptions(mode="max", version="v0.2")),
        (
            "builder-id=https://b,reproducible=true",
            ProvenanceOptions(builder_id="https://b", reproducible=True),
        ),
        ("inline-only=true,filename=p.json", ProvenanceOptions(inline_only=True, filename="p.json")),
    ],
)
def test_the_shorthand_of_provenance_says_what_attest_says(word: str, expected: ProvenanceOptions) -> None:
    assert parsed(provenance=word).provenance == expected


def test_the_last_entry_of_a_type_wins_and_the_shorthand_is_last() -> None:
    assert parsed("type=provenance,mode=max", "type=provenance,mode=min").provenance == ProvenanceOptions(
        mode="min"
    )
    assert parsed("type=provenance,mode=min", provenance="mode=max").provenance == ProvenanceOptions(
        mode="max"
    )


def test_an_sbom_has_a_generator_and_parameters_for_it() -> None:
    assert parsed(sbom="generator=scan:1,SELECT=all").sbom == SbomOptions(
        generator="scan:1", parameters=(("SELECT", "all"),)
    )
    assert parsed(sbom="true").sbom == SbomOptions()
    assert parsed("type=sbom", sbom="false").sbom is None


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("mode=max", "attestation type not specified"),
        ("type=provenance,max", "invalid value max"),
        ("type=vex", 'unknown attestation type "vex"'),
        ("type=provenance,mode=all", 'invalid mode "all"'),
        ("type=provenance,version=v2", "invalid provenance SLSA version: v2"),
        ("type=provenance,reproducible=maybe", "invalid value 'maybe' for reproducible"),
        ("type=provenance,mod=max", "provenance has no parameter 'mod'"),
        ("type=provenance,filename=../x", "it is a name, not a path"),
        ("type=provenance,capture-usage=true", "takes no samples"),
        ("type=sbom,generator=", "sbom generator cannot be empty"),
        ("type=provenance,disabled=perhaps", "invalid value 'perhaps' for disabled"),
    ],
)
def test_what_is_wrong_with_a_word_is_said_in_the_words_of_buildx(word: str, message: str) -> None:
    with pytest.raises(DockyardError) as refused:
        parsed(word)
    assert message in str(refused.value)
