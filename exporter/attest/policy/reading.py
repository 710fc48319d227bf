"""Policy files: TOML, read strictly, with all that is wrong reported at once and by line.

A key that is misspelt would ask for nothing, and an image would pass that should not: so no unknown key passes.
"""

from __future__ import annotations

import tomllib
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
        signatures=_signatures(root.table("signatures"), read),
        attestations=_attestations(root.table("attestations")),
        provenance=_provenance(root.table("provenance")),
        source=_source(root.table("source")),
        materials=_materials(root.table("materials")),
        bases=_bases(root.table("bases")),
        packages=_packages(root.table("packages")),
        licenses=_licences(root.table("licenses")),
        age=_age(root.table("age")),
        labels=root.pairs("labels", Pattern),
        annotations=_annotations(root.table("annotations")),
        inputs=_inputs(root.table("inputs"), read),
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
    table.close()
    return rules


def _attestations(table: Table) -> AttestationRules:
    rules = AttestationRules(
        required=table.many("required", _predicate_type),
        empty_subjects=table.flag("empty-subjects", default=True),
    )
    table.close()
    return rules


def _provenance(table: Table) -> ProvenanceRules:
    rules = ProvenanceRules(
        builders=table.patterns("builders"),
        build_types=table.patterns("build-types"),
        mode=table.word("mode", _MODES, ""),
        complete=table.words("complete", _COMPLETE, ()),
        reproducible=table.flag("reproducible"),
        hermetic=table.flag("hermetic"),
    )
    table.close()
    return rules


def _source(table: Table) -> SourceRules:
    rules = SourceRules(
        allowed=table.patterns("allowed"),
        revisions=table.patterns("revisions"),
        dirty=table.flag("dirty", default=True),
    )
    table.close()
    return rules


def _materials(table: Table) -> MaterialRules:
    pins = table.pairs("pins", _any_digest)
    rules = MaterialRules(
        allowed=table.patterns("allowed"),
        denied=table.patterns("denied"),
        digests=table.flag("digests"),
        pins=tuple(Pin(Pattern(name), digest) for name, digest in pins.items()),
    )
    table.close()
    return rules


def _bases(table: Table) -> BaseRules:
    rules = BaseRules(allowed=table.patterns("allowed"), digests=table.many("digests", Digest.parse))
    table.close()
    return rules


def _packages(table: Table) -> PackageRules:
    forbidden, required = table.tables("forbidden"), table.tables("required")
    table.close()
    return PackageRules(forbidden=tuple(map(_package, forbidden)), required=tuple(map(_package, required)))


def _package(table: Table) -> PackageRule:
    rule = PackageRule(
        name=table.parsed("name", Pattern, Pattern("*")),
        purl=table.parsed("purl", Pattern, Pattern("*")),
        version=table.parsed("version", parse_range, Range()),
        reason=table.text("reason"),
    )
    if (rule.name, rule.purl) == (Pattern("*"), Pattern("*")):
        table.note("name", "the rule must say which package, by name or by purl")
    table.close()
    return rule


def _licences(table: Table) -> LicenceRules:
    rules = LicenceRules(
        allowed=table.patterns("allowed"),
        denied=table.patterns("denied"),
        unknown=table.word("unknown", _UNKNOWN, "allow"),
        exempt=table.patterns("exempt"),
    )
    table.close()
    return rules


def _age(table: Table) -> AgeRules:
    rules = AgeRules(
        provenance=table.parsed("provenance", parse_age, None), sbom=table.parsed("sbom", parse_age, None)
    )
    table.close()
    return rules


def _annotations(table: Table) -> AnnotationRules:
    rules = AnnotationRules(index=table.pairs("index", Pattern), manifest=table.pairs("manifest", Pattern))
    table.close()
    return rules


def _inputs(table: Table, read: Callable[[str], bytes]) -> InputRules:
    rules = InputRules(
        images=table.patterns("images"),
        git=table.patterns("git"),
        http=table.patterns("http"),
        checksums=table.flag("checksums"),
        digests=table.flag("digests"),
        pins=table.parsed("pins", lambda name: parse_pins(read(name), origin=name), {}),
    )
    table.close()
    return rules


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
