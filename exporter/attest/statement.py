"""Statements: what is said (a predicate) about what (subjects), in the form of in-toto.

The envelope is checked by in-toto's own types, and once, because to load them takes a good part of the time of a
build that finds everything in its cache. The predicate stays the bytes that its author wrote: in those types
numbers are floats and members have no order, and an SBOM of many megabytes would be taken apart for nothing.
Source: in-toto attestation specification, v1, statement.md; the order of members is BuildKit's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.digest import Digest, encode_json
from builder.oci.manifest import escape_html
from exporter.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    import in_toto_attestation.v1.statement  # noqa: F401 - to have them loaded


def encode_statement(
    attestation: Attestation, subjects: Sequence[Subject], *, is_checked: bool = False
) -> bytes:
    """The statement that `attestation` makes, of its own subjects or else of `subjects`; compact JSON.

    `is_checked`: in-toto has allowed one with the same envelope, see `envelopes`.
    Raises: ExportError for a statement that in-toto does not allow. One of no subject is allowed, because an
    image without a name has none in BuildKit, either.
    """
    chosen = _subjects(attestation, subjects)
    if not is_checked:
        _check(attestation, chosen)
    envelope = _Envelope(
        type=STATEMENT_V1,
        predicate_type=attestation.predicate_type,
        subject=list(chosen),
        predicate=msgspec.Raw(b"{}"),
    )
    head = escape_html(msgspec.json.encode(envelope)).removesuffix(b"{}}")
    return b"".join((head, memoryview(attestation.predicate), b"}"))


def envelopes(attestations: Sequence[Attestation], subjects: Sequence[Subject]) -> Digest:
    """Names all that in-toto's types see of the statements: everything but the values of the predicates' members.

    Raises: ExportError for a predicate that is no object.
    """
    seen = [
        (STATEMENT_V1, each.predicate_type, sorted(_members(each)), _subjects(each, subjects))
        for each in attestations
    ]
    return Digest.of(encode_json(seen))


def _subjects(attestation: Attestation, subjects: Sequence[Subject]) -> Sequence[Subject]:
    return subjects if attestation.subjects is None else attestation.subjects


def _members(attestation: Attestation) -> dict[str, msgspec.Raw]:
    try:
        return msgspec.json.decode(attestation.predicate, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _not_allowed(attestation, error) from error


def _check(attestation: Attestation, subjects: Sequence[Subject]) -> None:
    from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
    from in_toto_attestation.v1.statement import Statement

    members = _members(attestation)
    try:
        described = [ResourceDescriptor(name=each.name, digest=each.digest).pb for each in subjects]
        statement = Statement(
            described or [ResourceDescriptor(digest=_UNNAMED).pb],
            attestation.predicate_type,
            dict.fromkeys(members),
        )
        statement.validate()
    except (ValueError, TypeError) as error:
        raise _not_allowed(attestation, error) from error


def _not_allowed(attestation: Attestation, reason: Exception) -> ExportError:
    return ExportError(f"{attestation.filename} is no statement that in-toto allows: {reason}")
