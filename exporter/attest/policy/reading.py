"""Policy files: TOML, read strictly, with all that is wrong reported at once and by line.

A key that is misspelt would ask for nothing, and an image would pass that should not: so no unknown key passes.
"""

from __future__ import annotations

import tomllib
from functools import partial
from typing import TYPE_CHECKING, Final

from builder.graph.location import Location, SourceFile
from builder.oci.digest import Digest
from builder.oci.reference import parse_reference
from builder.platforms import parse_platform
from exporter.attest.policy.ages import parse_age
from exporter.attest.policy.patterns import Pattern
from exporter.attest.policy.policy import (
    AgeRules,
    AnnotationRules,
    AttestationRules,
    BaseRules,
    InputRules,
    LicenceRules,
    MaterialRules,
    PackageRule,
    PackageRules,
    Pin,
    Policy,
    ProvenanceRules,
    SignatureRules,
    Signed,
    SourceRules,
)
from exporter.attest.policy.table import InvalidPolicy, Notes, Table
from exporter.attest.policy.versions import Range, parse_range
from exporter.attest.signing.keyfiles import read_public_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Literal

    from exporter.attest.signing.keys import PublicKey

_MAX_POLICY: Final = 4 << 20
_SIGNED: Final[dict[str, Signed]] = {
    "index": "index", "manifests": "manifests", "statements": "statements",
}  # fmt: skip
_MODES: Final[dict[str, Literal["", "max"]]] = {"min": "", "max": "max"}
_COMPLETE: Final[dict[str, Literal["request", "materials"]]] = {
    "request": "request",
    "materials": "materials",
}
_UNKNOWN: Final[dict[str, Literal["allow", "deny"]]] = {"allow": "allow", "deny": "deny"}
_SHORT: Final = {"provenance": "provenance", "sbom": "sbom"}


def load_policy(path: Path) -> Policy:
    """The policy in a file; other files that it names lie beside it. Raises: InvalidPolicy, OSError."""

    def beside(name: str) -> bytes:
        try:
            return (path.parent / name).read_bytes()
        except OSError as error:
            raise ValueError(f"{name}: {error.strerror}") from None

    content = path.read_bytes()
    if len(content) > _MAX_POLICY:
        raise InvalidPolicy(f"{path}: {len(content)} bytes are more than {_MAX_POLICY}")
    try:
        return parse_policy(content.decode(), origin=str(path), read=beside)
    except UnicodeDecodeError:
        raise InvalidPolicy(f"{path} is not UTF-8") from None


def parse_policy(text: str, *, origin: str, read: Callable[[str], bytes]) -> Policy:
    """The policy in `text`; `read` gives other files that it names, and raises ValueError for those it cannot.

    Raises: InvalidPolicy.
    """
    text = text.replace("\r\n", "\n")
    source = SourceFile(origin, text)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = getattr(error, "lineno", 0) or _line_of(str(error))
        raise InvalidPolicy(f"{origin}: no TOML: {error}", (Location(source, line, line),)) from None
    notes = Notes(source)
    root = Table(content, (), notes)
    policy = _policy(root, origin, read)
    root.close()
    notes.require_none()
    return policy


def _line_of(message: str) -> int:
    """The line that the parser's message ends with."""
    words = message.rpartition("line ")[2].split(",")
    return int(words[0]) if words[0].isdecimal() else 1


def _policy(root: Table, origin: str, read: Callable[[str], bytes]) -> Policy:
    if root.number("version", 1) != 1:
        root.note("version", "this dockyard knows version 1")
    return Policy(
        origin=origin,
        platforms=root.many("platforms", parse_platform),
        require_complete=root.flag("require-complete"),
        signatures=root.table("signatures", partial(_signatures, read=read)),
        attestations=root.table("attestations", _attestations),
        provenance=root.table("provenance", _provenance),
        source=root.table("source", _source),
        materials=root.table("materials", _materials),
        bases=root.table("bases", _bases),
        packages=root.table("packages", _packages),
        licenses=root.table("licenses", _licences),
        age=root.table("age", _age),
        labels=root.pairs("labels", Pattern),
        annotations=root.table("annotations", _annotations),
        inputs=root.table("inputs", partial(_inputs, read=read)),
    )


def _signatures(table: Table, read: Callable[[str], bytes]) -> SignatureRules:
    def key(name: str) -> PublicKey:
        return read_public_key(read(name), origin=name)

    rules = SignatureRules(
        keys=table.many("keys", key),
        threshold=table.number("threshold", 1),
        signed=table.words("signed", _SIGNED, ("index",)),
    )
    if table.is_there and rules.threshold > len(set(rules.keys)):
        table.note("threshold", f"{len(set(rules.keys))} different keys can never be {rules.threshold}")
    return rules


def _attestations(table: Table) -> AttestationRules:
    return AttestationRules(
        required=table.many("required", _predicate_type),
        empty_subjects=table.flag("empty-subjects", default=True),
    )


def _provenance(table: Table) -> ProvenanceRules:
    return ProvenanceRules(
        builders=table.patterns("builders"),
        build_types=table.patterns("build-types"),
        mode=table.word("mode", _MODES, ""),
        complete=table.words("complete", _COMPLETE, ()),
        reproducible=table.flag("reproducible"),
        hermetic=table.flag("hermetic"),
    )


def _source(table: Table) -> SourceRules:
    return SourceRules(
        allowed=table.patterns("allowed"),
        revisions=table.patterns("revisions"),
        dirty=table.flag("dirty", default=True),
    )


def _materials(table: Table) -> MaterialRules:
    pins = table.pairs("pins", _any_digest)
    return MaterialRules(
        allowed=table.patterns("allowed"),
        denied=table.patterns("denied"),
        digests=table.flag("digests"),
        pins=tuple(Pin(Pattern(name), digest) for name, digest in pins.items()),
    )


def _bases(table: Table) -> BaseRules:
    return BaseRules(allowed=table.patterns("allowed"), digests=table.many("digests", Digest.parse))


def _packages(table: Table) -> PackageRules:
    return PackageRules(
        forbidden=table.tables("forbidden", _package), required=table.tables("required", _package)
    )


def _package(table: Table) -> PackageRule:
    rule = PackageRule(
        name=table.parsed("name", Pattern, Pattern("*")),
        purl=table.parsed("purl", Pattern, Pattern("*")),
        version=table.parsed("version", parse_range, Range()),
        reason=table.text("reason"),
    )
    if (rule.name, rule.purl) == (Pattern("*"), Pattern("*")):
        table.note("name", "the rule must say which package, by name or by purl")
    return rule


def _licences(table: Table) -> LicenceRules:
    return LicenceRules(
        allowed=table.patterns("allowed"),
        denied=table.patterns("denied"),
        unknown=table.word("unknown", _UNKNOWN, "allow"),
        exempt=table.patterns("exempt"),
    )


def _age(table: Table) -> AgeRules:
    return AgeRules(
        provenance=table.parsed("provenance", parse_age, None), sbom=table.parsed("sbom", parse_age, None)
    )


def _annotations(table: Table) -> AnnotationRules:
    return AnnotationRules(index=table.pairs("index", Pattern), manifest=table.pairs("manifest", Pattern))


def _inputs(table: Table, read: Callable[[str], bytes]) -> InputRules:
    return InputRules(
        images=table.patterns("images"),
        git=table.patterns("git"),
        http=table.patterns("http"),
        checksums=table.flag("checksums"),
        digests=table.flag("digests"),
        pins=table.parsed("pins", lambda name: parse_pins(read(name), origin=name), {}),
    )


def parse_pins(content: bytes, *, origin: str) -> dict[str, Digest]:
    """A file of pins: a table `[pins]` of names of images with their digests, by full names.

    Raises: ValueError with all that is wrong; InvalidReference.
    """
    try:
        text = content.decode()
        notes = Notes(SourceFile(origin, text))
        root = Table(tomllib.loads(text), (), notes)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{origin}: no TOML: {error}") from None
    pins = root.pairs("pins", Digest.parse)
    root.close()
    try:
        notes.require_none()
    except InvalidPolicy as error:
        raise ValueError(error.message) from None
    return {str(parse_reference(name)): digest for name, digest in pins.items()}


def _any_digest(text: str) -> str:
    """A digest of any algorithm: commits are SHA-1."""
    algorithm, colon, value = text.partition(":")
    if not (colon and algorithm and value and all(char in "0123456789abcdef" for char in value)):
        raise ValueError(f"{text!r} is no digest: write sha256:... or, for a commit, sha1:...")
    return text


def _predicate_type(text: str) -> str:
    if text not in _SHORT and "://" not in text:
        raise ValueError(f"{text!r} is no predicate type: provenance, sbom, or a URI")
    return text
