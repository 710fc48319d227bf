"""Statements in in-toto's form, and what their subjects are called."""

from __future__ import annotations

import json

import msgspec
import pytest
from in_toto_attestation.v1 import statement_pb2

from builder.oci.digest import Digest
from builder.oci.reference import parse_reference
from builder.platforms import Platform
from exporter.attest.purl import image_purl
from exporter.attest.statement import Attestation, Subject, encode_statement, envelopes
from exporter.errors import ExportError

DIGEST = Digest.of(b"image")
SUBJECT = Subject("pkg:docker/a@1", {"sha256": DIGEST.hex})


def attestation(
    predicate: bytes = b'{"b":1,"a":2}', subjects: tuple[Subject, ...] | None = None
) -> Attestation:
    return Attestation(
        predicate_type="https://example.com/p",
        predicate=msgspec.Raw(predicate),
        filename="p.json",
        subjects=subjects,
    )


def test_members_stand_in_the_order_of_buildkit_and_the_predicate_is_not_touched() -> None:
    assert encode_statement(attestation(), [SUBJECT]).decode() == (
        '{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://example.com/p",'
        f'"subject":[{{"name":"pkg:docker/a@1","digest":{{"sha256":"{DIGEST.hex}"}}}}],"predicate":{{"b":1,"a":2}}}}'
    )


def test_a_statement_about_nothing_named_has_an_empty_list_of_subjects() -> None:
    assert json.loads(encode_statement(attestation(), ()))["subject"] == []


def test_subjects_of_an_attestation_go_before_those_of_the_output() -> None:
    own = Subject("sbom-base", {"sha256": DIGEST.hex})
    encoded = encode_statement(attestation(subjects=(own,)), [SUBJECT])
    assert [each["name"] for each in json.loads(encoded)["subject"]] == ["sbom-base"]


def test_the_types_of_in_toto_read_what_is_written() -> None:
    from google.protobuf import json_format

    read = json_format.Parse(encode_statement(attestation(), [SUBJECT]), statement_pb2.Statement())
    assert read.subject[0].digest["sha256"] == DIGEST.hex


@pytest.mark.parametrize("predicate", [b"[]", b"{", b"{}", b"1"])
def test_what_is_no_object_with_members_is_no_predicate(predicate: bytes) -> None:
    with pytest.raises(ExportError, match=r"p\.json is no statement"):
        encode_statement(attestation(predicate), [SUBJECT])


def test_a_subject_without_a_digest_is_refused() -> None:
    with pytest.raises(ExportError, match="digest"):
        encode_statement(attestation(), [Subject("a", {})])


def test_what_has_been_checked_is_written_as_it_was() -> None:
    checked = encode_statement(attestation(), [SUBJECT])
    assert encode_statement(attestation(), [SUBJECT], is_checked=True) == checked


def test_only_the_values_of_a_predicate_are_no_part_of_its_envelope() -> None:
    envelope = envelopes([attestation(b'{"b":1,"a":2}')], [SUBJECT])

    assert envelopes([attestation(b'{"a":[],"b":{}}')], [SUBJECT]) == envelope
    assert envelopes([attestation(b'{"a":2}')], [SUBJECT]) != envelope
    assert envelopes([attestation()], [Subject(SUBJECT.name, {})]) != envelope
    assert envelopes([attestation(subjects=())], [SUBJECT]) != envelope
    assert envelopes([attestation(), attestation()], [SUBJECT]) != envelope


@pytest.mark.parametrize(
    ("name", "platform", "expected"),
    [
        ("alpine", Platform("linux", "amd64"), "pkg:docker/alpine@latest?platform=linux%2Famd64"),
        ("moby/buildkit:x", None, "pkg:docker/moby/buildkit@x"),
        (
            "127.0.0.1:5055/app:1",
            Platform("linux", "amd64"),
            "pkg:docker/127.0.0.1%3A5055/app@1?platform=linux%2Famd64",
        ),
        (
            f"alpine:3@{DIGEST}",
            Platform("linux", "arm", "v7"),
            f"pkg:docker/alpine@3?digest={DIGEST}&platform=linux%2Farm%2Fv7",
        ),
        (f"alpine@{DIGEST}", None, f"pkg:docker/alpine?digest={DIGEST}"),
    ],
)
def test_package_urls_are_those_of_buildkit(name: str, platform: Platform | None, expected: str) -> None:
    assert image_purl(parse_reference(name), platform) == expected
