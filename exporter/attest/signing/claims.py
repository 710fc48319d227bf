"""What a signed statement claims: a predicate, and the digests that it is about.

The predicate stays the bytes that its author wrote: what is signed must be comparable with what is stored in the
index, and an SBOM of many megabytes is not taken apart for nothing.
Source: in-toto attestation specification, statement.md, v0.1 and v1; cosign's own type for image signatures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.digest import Digest, InvalidDigest
from exporter.attest.signing.errors import MalformedSignature

if TYPE_CHECKING:
    from collections.abc import Iterable

IMAGE_SIGNED: Final = "https://sigstore.dev/cosign/sign/v1"
"""Predicate type of a statement that says no more than that its subject was signed."""

_STATEMENTS: Final = frozenset({"https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"})
_MAX_SUBJECTS: Final = 10_000


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """A statement. `subjects` are SHA-256 digests; `predicate` is JSON, as it was written."""

    predicate_type: str
    subjects: tuple[Digest, ...]
    predicate: bytes


class _Subject(msgspec.Struct, frozen=True):
    digest: dict[str, str] = {}


class _Statement(msgspec.Struct, frozen=True):
    type: str = msgspec.field(name="_type")
    predicate_type: str = msgspec.field(name="predicateType")
    subject: tuple[msgspec.Raw, ...] = ()
    predicate: msgspec.Raw = msgspec.Raw(b"{}")


class _Written(msgspec.Struct):
    type: str = msgspec.field(name="_type")
    predicate_type: str = msgspec.field(name="predicateType")
    subject: list[msgspec.Raw]
    predicate: msgspec.Raw


def read_claims(statement: bytes) -> Claims:
    """What `statement` claims. Raises: MalformedSignature when it is no in-toto statement."""
    parsed = _parse(statement)
    return Claims(
        predicate_type=parsed.predicate_type, subjects=_digests(parsed), predicate=bytes(parsed.predicate)
    )


def statement_about(statement: bytes, digests: Iterable[Digest]) -> bytes:
    """`statement` with those of `digests` among its subjects which were not; itself if all were.

    Raises: MalformedSignature.
    """
    parsed = _parse(statement)
    missing = [digest for digest in dict.fromkeys(digests) if digest not in _digests(parsed)]
    if not missing:
        return statement
    subjects = [*parsed.subject, *map(_subject, missing)]
    return msgspec.json.encode(_Written(parsed.type, parsed.predicate_type, subjects, parsed.predicate))


def image_statement(digest: Digest) -> bytes:
    """The statement that `digest` was signed, as cosign makes it."""
    return msgspec.json.encode(
        _Written("https://in-toto.io/Statement/v1", IMAGE_SIGNED, [_subject(digest)], msgspec.Raw(b"{}"))
    )


def _subject(digest: Digest) -> msgspec.Raw:
    # Readers of the older statement form want a name; "_" is what in-toto says for none.
    return msgspec.Raw(msgspec.json.encode({"name": "_", "digest": {"sha256": digest.hex}}))


def _parse(statement: bytes) -> _Statement:
    try:
        parsed = msgspec.json.decode(statement, type=_Statement)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedSignature(f"no in-toto statement: {error}") from None
    if parsed.type not in _STATEMENTS:
        raise MalformedSignature(f"a statement of the unknown type {parsed.type[:80]!r}")
    if len(parsed.subject) > _MAX_SUBJECTS:
        raise MalformedSignature(f"a statement about more than {_MAX_SUBJECTS} subjects")
    return parsed


def _digests(statement: _Statement) -> tuple[Digest, ...]:
    found: dict[Digest, None] = {}
    for raw in statement.subject:
        try:
            digests = msgspec.json.decode(raw, type=_Subject).digest
            if "sha256" in digests:
                found[Digest.parse(f"sha256:{digests['sha256']}")] = None
        except (msgspec.DecodeError, InvalidDigest) as error:
            raise MalformedSignature(f"a statement with a malformed subject: {error}") from None
    return tuple(found)
