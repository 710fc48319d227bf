"""What is said about an image, as tables for people and as JSON for programs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from builder.cli.table import format_table
from builder.oci.digest import encode_json
from builder.progress.text import one_line
from builder.progress.units import format_bytes
from exporter.attest.reading.provenance import PREFIX, Provenance, read_provenance
from exporter.attest.reading.sbom import SPDX, Sbom, read_sbom

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from builder.oci.descriptor import Descriptor
    from exporter.attest.reading.attested import AttestedImage
    from exporter.attest.reading.difference import Change, Value
    from exporter.attest.reading.signatures import SignatureCount

_UNSAID: Final = "-"


def as_text(name: str, root: Descriptor, images: Sequence[AttestedImage], signatures: SignatureCount) -> str:
    """The image, then each platform with its statements. Raises: InvalidDocument for malformed predicates."""
    blocks = [f"{name}  {root.digest}\n{_signatures(signatures)}\n"]
    for image in images:
        blocks += _platform(image)
    return "\n".join(blocks)


def as_json(
    name: str, root: Descriptor, images: Sequence[AttestedImage], signatures: SignatureCount
) -> bytes:
    """`image`, `digest`, `signatures` and `platforms`. Raises: InvalidDocument for malformed predicates."""
    platforms = [_platform_object(image) for image in images]
    report = {"image": name, "digest": root.digest, "signatures": signatures, "platforms": platforms}
    return msgspec.json.format(encode_json(report), indent=2)


def changes_as_text(changes: Sequence[Change]) -> str:
    """A line for each change, by platform: `+` came, `-` went, `~` is another now."""
    blocks: list[str] = []
    for platform in dict.fromkeys(change.platform for change in changes):
        rows = [_change_row(change) for change in changes if change.platform == platform]
        blocks.append(f"{platform}\n{format_table(('', 'WHAT', 'NAME', 'CHANGE'), rows)}")
    count = len(changes)
    sums = f"{count} change{'' if count == 1 else 's'}" if count else "no changes"
    return "\n".join([*blocks, f"{sums}\n"])


def _signatures(signatures: SignatureCount) -> str:
    if not signatures.image and not signatures.statements:
        return "no signatures"
    counts = f"{signatures.image} over the image, {signatures.statements} over statements"
    return f"signatures: {counts}; not checked here (dockyard verify --key does)"


def _platform(image: AttestedImage) -> Iterator[str]:
    lines = [f"{image.platform}  {image.image.digest}"]
    lines += [f"attestations  {each.digest}  {image.form or 'not here'}" for each in image.manifests]
    if image.absent:
        lines.append(f"not all that is said of it is here: {image.absent} is missing")
    if not image.manifests:
        lines.append("nothing is said about it")
    yield "".join(f"{line}\n" for line in lines)
    if image.statements:
        rows = [
            (each.predicate_type, format_bytes(each.blob.size), each.blob.digest) for each in image.statements
        ]
        yield format_table(("STATEMENT", "SIZE", "DIGEST"), rows)
    for said in image.statements:
        if said.predicate_type.startswith(PREFIX):
            yield from _provenance(read_provenance(said.predicate_type, said.predicate))
        elif said.predicate_type == SPDX:
            yield from _sbom(read_sbom(said.predicate))


def _provenance(found: Provenance) -> Iterator[str]:
    claims = ", ".join(f"{name}: {'yes' if value else 'no'}" for name, value in found.claims.items())
    rows = [
        ("builder", found.builder),
        ("build type", found.build_type),
        ("source", found.source),
        ("revision", found.revision),
        ("file", found.path),
        ("started", found.started),
        ("finished", f"{found.finished}{_duration(found)}"),
        ("invocation", found.invocation),
        ("steps", str(found.steps) if found.steps else ""),
        ("claims", claims),
    ]
    yield format_table(("PROVENANCE", found.type), [(name, value or _UNSAID) for name, value in rows])
    if found.parameters:
        yield format_table(("PARAMETER", "VALUE"), list(found.parameters.items()))
    if found.materials:
        rows = [(each.uri, each.digest or _UNSAID) for each in found.materials]
        yield format_table(("MATERIAL", "DIGEST"), rows)


def _duration(found: Provenance) -> str:
    try:
        took = datetime.fromisoformat(found.finished) - datetime.fromisoformat(found.started)
    except (ValueError, TypeError):
        return ""
    return f" ({took.total_seconds():.1f}s)"


def _sbom(found: Sbom) -> Iterator[str]:
    by = ", ".join(found.creators)
    yield (
        one_line(
            f"SBOM {found.name}: {len(found.packages)} packages, {found.files} files; {found.created}, {by}"
        )
        + "\n"
    )
    if found.packages:
        rows = [
            (each.name, each.version or _UNSAID, each.type or _UNSAID, each.licence or _UNSAID)
            for each in found.packages
        ]
        yield format_table(("PACKAGE", "VERSION", "TYPE", "LICENCE"), rows)


def _platform_object(image: AttestedImage) -> dict[str, Any]:
    provenances = [
        read_provenance(said.predicate_type, said.predicate)
        for said in image.statements
        if said.predicate_type.startswith(PREFIX)
    ]
    return {
        "platform": str(image.platform),
        "digest": image.image.digest,
        "form": image.form,
        "manifests": [each.digest for each in image.manifests],
        "statements": [
            {"predicateType": said.predicate_type, "digest": said.blob.digest, "size": said.blob.size}
            for said in image.statements
        ],
        "absent": image.absent,
        "provenance": provenances,
        "sboms": [read_sbom(said.predicate) for said in image.statements if said.predicate_type == SPDX],
    }


def _change_row(change: Change) -> tuple[str, str, str, str]:
    if change.before is None:
        return "+", change.kind, change.name, _value(change.after)
    if change.after is None:
        return "-", change.kind, change.name, _value(change.before)
    return "~", change.kind, change.name, f"{_value(change.before)} -> {_value(change.after)}"


def _value(value: Value | None) -> str:
    return "  ".join(each for each in (value or {}).values() if each) or _UNSAID
