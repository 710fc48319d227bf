"""Which attestations are asked for: `--attest`, `--provenance` and `--sbom`, from words to values.

One list, in which the last entry of a type wins, whichever of the flags it came from.
Source: buildx's reference for these flags, BuildKit's parameters of `attest:*`, and the messages of both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast, get_args

import msgspec

from builder.system.errors import Unsupported, UsageError
from builder.system.fields import read_fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Mode: TypeAlias = Literal["min", "max"]
Version: TypeAlias = Literal["v1", "v0.2"]

_MODES: Final[dict[str, Mode]] = {"min": "min", "max": "max", "full": "max"}
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_TYPES: Final = ("sbom", "provenance")


class ProvenanceOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a build was made shall be said.

    `mode` min says nothing of build arguments, labels, secrets' names and steps. `complete`: a build whose
    materials are not all known fails. `implied`: nobody asked, so what cannot hold it goes without.
    """

    mode: Mode = "max"
    version: Version = "v1"
    builder_id: str = ""
    filename: str = "provenance.json"
    reproducible: bool = False
    inline_only: bool = False
    complete: bool = False
    implied: bool = False


class SbomOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the result shall be listed.

    `generator` is an image that scans; None: dockyard's own scanner. `parameters` are for the scanner.
    """

    generator: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()


class Attestations(msgspec.Struct, frozen=True, kw_only=True):
    """The attestations of a build."""

    provenance: ProvenanceOptions | None = None
    sbom: SbomOptions | None = None


DEFAULT_PROVENANCE: Final = ProvenanceOptions(mode="min", inline_only=True, implied=True)
"""What the command adds when nobody says anything about provenance."""


def parse_attestations(
    attest: Sequence[str], *, provenance: str | None, sbom: str | None, default: bool
) -> Attestations:
    """What `--attest` (repeated), `--provenance` and `--sbom` ask for together.

    `default`: provenance is made where it can be kept, unless a word says otherwise.
    Raises: UsageError; Unsupported for parameters that BuildKit has and dockyard has not.
    """
    words = [*attest]
    words += [_canonical("provenance", provenance)] if provenance else []
    words += [_canonical("sbom", sbom)] if sbom else []
    asked: dict[str, dict[str, str] | None] = {}
    for word in words:
        kind, fields = _entry(word)
        asked[kind] = None if _boolean("disabled", fields.pop("disabled", "false")) else fields
    said = asked.get("provenance")
    implied = DEFAULT_PROVENANCE if default and "provenance" not in asked else None
    scanned = asked.get("sbom")
    return Attestations(
        provenance=implied if said is None else _provenance(said),
        sbom=None if scanned is None else _sbom(scanned),
    )


def _canonical(kind: str, word: str) -> str:
    """The `--attest` entry that the shorthand `--KIND=word` stands for."""
    if word in _TRUE or word in _FALSE:
        return f"type={kind},disabled={'false' if word in _TRUE else 'true'}"
    if kind == "provenance" and word in _MODES:
        return f"type={kind},mode={word}"
    return f"type={kind},{word}"


def _entry(word: str) -> tuple[str, dict[str, str]]:
    try:
        parts = read_fields(word)
    except ValueError as error:
        raise UsageError(f"invalid attestation {word!r}: {error}") from error
    fields: dict[str, str] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals:
            raise UsageError(f"invalid value {part}")
        fields[key.strip()] = value
    kind = fields.pop("type", "")
    if not kind:
        raise UsageError("attestation type not specified")
    if kind not in _TYPES:
        raise UsageError(f'unknown attestation type "{kind}"')
    return kind, fields


def _provenance(fields: Mapping[str, str]) -> ProvenanceOptions:
    known = {name.replace("_", "-") for name in ProvenanceOptions.__struct_fields__} - {"implied", "complete"}
    unknown = sorted(fields.keys() - known - {"complete-materials", "capture-usage"})
    if unknown:
        raise UsageError(
            f"provenance has no parameter {unknown[0]!r}", hint=f"parameters: {', '.join(sorted(known))}"
        )
    mode, version = fields.get("mode", "max"), fields.get("version", "v1")
    if mode not in _MODES:
        raise UsageError(f'invalid mode "{mode}"', hint="modes: min, max")
    if version not in get_args(Version):
        raise UsageError(f"invalid provenance SLSA version: {version}", hint="versions: v1, v0.2")
    if _flag(fields, "capture-usage"):
        raise Unsupported(
            "provenance with capture-usage is not supported: dockyard takes no samples of its steps"
        )
    filename = fields.get("filename") or "provenance.json"
    if "/" in filename or filename in (".", ".."):
        raise UsageError(f"invalid provenance filename {filename!r}: it is a name, not a path")
    return ProvenanceOptions(
        mode=_MODES[mode],
        version=cast("Version", version),
        builder_id=fields.get("builder-id", ""),
        filename=filename,
        reproducible=_flag(fields, "reproducible"),
        inline_only=_flag(fields, "inline-only"),
        complete=_flag(fields, "complete-materials"),
    )


def _sbom(fields: Mapping[str, str]) -> SbomOptions:
    if fields.get("generator") == "":
        raise UsageError("sbom generator cannot be empty")
    parameters = tuple((name, value) for name, value in fields.items() if name != "generator")
    return SbomOptions(generator=fields.get("generator"), parameters=parameters)


def _flag(fields: Mapping[str, str], name: str) -> bool:
    return _boolean(name, fields.get(name, "false"))


def _boolean(name: str, value: str) -> bool:
    if value not in _TRUE | _FALSE:
        raise UsageError(f"invalid value {value!r} for {name}: expected true or false")
    return value in _TRUE
