"""Statements: what is said (a predicate) about what (subjects), in the form of in-toto.

The envelope is made and checked by in-toto's own types. The predicate stays the bytes that its author wrote:
in those types numbers are floats and members have no order, and an SBOM of many megabytes would be taken apart
for nothing.
Source: in-toto attestation specification, v1, statement.md; the order of members is BuildKit's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.manifest import escape_html
from exporter.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from in_toto_attestation.v1.statement import Statement

STATEMENT_V1: Final = "https://in-toto.io/Statement/v1"
_UNNAMED: Final = {"sha256": "0" * 64}


class Subject(msgspec.Struct, frozen=True):
    """What a statement is about. `digest` maps names of algorithms to hexadecimal digests."""

    name: str
    digest: dict[str, str]


class Attestation(msgspec.Struct, frozen=True, kw_only=True):
    """A predicate about one platform's result.

    `predicate` is a JSON object. `subjects` None: those that the output has by itself, an image's names or the
    files of a directory. `filename` is what the statement is called where it is a file (`provenance.json`).
    `inline_only`: not worth an index of its own, nor a file.
    """

    predicate_type: str
    predicate: msgspec.Raw
    subjects: tuple[Subject, ...] | None = None
    filename: str
    inline_only: bool = False


class _Envelope(msgspec.Struct):
    type: str = msgspec.field(name="_type")
    predicate_type: str = msgspec.field(name="predicateType")
    subject: list[Subject]
    predicate: msgspec.Raw


def load_types() -> None:
    """Loads in-toto's types, which takes longer than any use of them: call it while something else waits."""
    import in_toto_attestation.v1.statement  # noqa: F401


def encode_statement(attestation: Attestation, subjects: Sequence[Subject]) -> bytes:
    """The statement that `attestation` makes, of its own subjects or else of `subjects`; compact JSON.

    Raises: ExportError for a statement that in-toto does not allow. One of no subject is allowed, because an
    image without a name has none in BuildKit, either.
    """
    chosen = subjects if attestation.subjects is None else attestation.subjects
    statement = _checked(attestation, chosen)
    envelope = _Envelope(
        type=statement.pb.type,
        predicate_type=statement.pb.predicate_type,
        subject=[Subject(each.name, dict(each.digest)) for each in statement.pb.subject] if chosen else [],
        predicate=msgspec.Raw(b"{}"),
    )
    head = escape_html(msgspec.json.encode(envelope)).removesuffix(b"{}}")
    return b"".join((head, memoryview(attestation.predicate), b"}"))


def _checked(attestation: Attestation, subjects: Sequence[Subject]) -> Statement:
    from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
    from in_toto_attestation.v1.statement import Statement

    try:
        members = msgspec.json.decode(attestation.predicate, type=dict[str, msgspec.Raw])
        described = [ResourceDescriptor(name=each.name, digest=each.digest).pb for each in subjects]
        statement = Statement(
            described or [ResourceDescriptor(digest=_UNNAMED).pb],
            attestation.predicate_type,
            dict.fromkeys(members),
        )
        statement.validate()
    except (msgspec.DecodeError, ValueError, TypeError) as error:
        raise ExportError(f"{attestation.filename} is no statement that in-toto allows: {error}") from error
    return statement
