"""Attestation manifests and their statements: each about the image that it hangs on, and well formed.

Source: BuildKit's docs/attestations/attestation-storage.md; in-toto statements v0.1 and v1.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.config import decode_config
from builder.oci.descriptor import Descriptor
from builder.oci.manifest import InvalidDocument
from builder.oci.mediatypes import ATTESTATION_ARTIFACT, CONFIGS, IN_TOTO
from builder.store.errors import StoreError
from builder.store.imagegraph import REFERENCE_TYPE, is_attestation
from exporter.attest.attach import ATTESTATION_MANIFEST, PREDICATE_TYPE
from exporter.attest.signing.checking import read_blob
from exporter.attest.signing.claims import Claims, read_claims
from exporter.attest.signing.dsse import ENVELOPE, Envelope, decode_envelope
from exporter.attest.signing.errors import MalformedSignature
from exporter.attest.verify.finding import Finding, Spot
from exporter.attest.verify.members import MAX_LOOKED_AT, TWINS, has_twins
from exporter.attest.verify.predicates import predicate_problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from builder.oci.digest import Digest
    from builder.store.protocol import BlobReader
    from exporter.attest.verify.graph import AttestationEntry, Graph, ImageEntry

_SHOWN: Final = 5
"""Problems of one predicate that are shown."""

_STATEMENT: Final = "application/vnd.in-toto"
_REPLACED: Final = "it was replaced, or made for another image: attest the image anew"


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What the index says about `image`: the statement in the layer that `blob` points at.

    `envelope`, when the layer is one, has the signatures that came with it.
    """

    blob: Descriptor
    image: Descriptor
    platform: str
    claims: Claims
    envelope: Envelope | None = None

    @property
    def spot(self) -> Spot:
        """Where findings about it belong."""
        return Spot(self.blob.digest, self.platform)


def check_attestations(
    reader: BlobReader, graph: Graph, *, hear: Callable[[Statement], None]
) -> Iterator[Finding]:
    """Every attestation manifest, and that all images have one as soon as any has.

    `hear` is told each statement that could be read.
    """
    by_digest: dict[str, ImageEntry] = {image.descriptor.digest: image for image in graph.images}
    for entry in graph.attestations:
        image, spot = by_digest.get(entry.about), Spot(entry.descriptor.digest)
        if entry.about in graph.absent:
            yield spot.skipped("reference", f"is about {entry.about}, which is not here")
        elif image is None:
            message = f"is about {entry.about[:80] or 'nothing'}, which is no image of this index"
            yield spot.failed(
                "reference", message, hint="its image was taken out, or the annotation was edited"
            )
        else:
            yield from _check_entry(reader, entry, image, hear)
    yield from _attested(graph)


def _attested(graph: Graph) -> Iterator[Finding]:
    counts = Counter(entry.about for entry in graph.attestations)
    any_has = bool(graph.attestations) or any(map(is_attestation, graph.absent.values()))
    for image in graph.images if any_has else ():
        count = counts[image.descriptor.digest]
        message = f"{count} attestation manifests; one is right when any platform has one"
        hint = "one was taken out or added: build the image anew"
        yield Spot(image.descriptor.digest, image.platform).judged(
            "attested", message, held=count == 1, hint=hint
        )


def _check_entry(
    reader: BlobReader, entry: AttestationEntry, image: ImageEntry, hear: Callable[[Statement], None]
) -> Iterator[Finding]:
    spot = Spot(entry.descriptor.digest, image.platform)
    kind = entry.descriptor.annotations.get(REFERENCE_TYPE, ATTESTATION_MANIFEST)
    message = f"{kind[:80]} of {image.descriptor.digest}"
    yield spot.judged("reference", message, held=kind == ATTESTATION_MANIFEST)
    yield from _subject(entry, image)
    yield from _config(reader, entry, spot)
    for number, layer in enumerate(entry.manifest.layers):
        yield from _statement(reader, layer, image, f"$.layers[{number}]", hear)


def _subject(entry: AttestationEntry, image: ImageEntry) -> Iterator[Finding]:
    subject, spot = entry.manifest.subject, Spot(entry.descriptor.digest, image.platform, "$.subject")
    if subject is None:
        if entry.manifest.artifact_type == ATTESTATION_ARTIFACT:
            yield spot.failed("subject", "an artifact without subject", hint=_REPLACED)
        return
    expected = image.descriptor
    held = (subject.digest, subject.size, subject.media_type) == (
        expected.digest, expected.size, expected.media_type,
    )  # fmt: skip
    message = "is the image that it hangs on" if held else f"is {subject.digest}, which is another"
    yield spot.judged("subject", message, held=held, hint=_REPLACED)


def _config(reader: BlobReader, entry: AttestationEntry, spot: Spot) -> Iterator[Finding]:
    """The older form has an image config, which lists the statements as if they were layers."""
    config = entry.manifest.config
    if config.media_type not in CONFIGS:
        return
    spot = Spot(config.digest, spot.platform, "$.rootfs.diff_ids")
    try:
        listed = decode_config(reader.read(config)).diff_ids
    except (StoreError, InvalidDocument) as error:
        yield spot.failed("attestation-config", error.message)
        return
    held = listed == tuple(layer.digest for layer in entry.manifest.layers)
    message = "lists the statements" if held else "lists other statements than the manifest has"
    yield spot.judged("attestation-config", message, held=held, hint=_REPLACED)


def _statement(
    reader: BlobReader, layer: Descriptor, image: ImageEntry, path: str, hear: Callable[[Statement], None]
) -> Iterator[Finding]:
    spot = Spot(layer.digest, image.platform)
    enveloped = layer.media_type == ENVELOPE or layer.media_type.endswith("+dsse")
    if layer.media_type != IN_TOTO and not enveloped:
        yield spot.at(path).failed("media-type", f"{layer.media_type[:100]!r} is no statement")
        return
    try:
        content = read_blob(reader, layer)
        envelope = decode_envelope(content) if enveloped else None
        content = content if envelope is None else _payload(envelope)
        claims = read_claims(content)
    except (StoreError, MalformedSignature) as error:
        yield spot.failed("statement", error.message, hint=_REPLACED)
        return
    yield _said_once(content, claims, spot)
    hear(
        Statement(
            blob=layer, image=image.descriptor, platform=image.platform, claims=claims, envelope=envelope
        )
    )
    said = layer.annotations.get(PREDICATE_TYPE, "")
    held = said == claims.predicate_type
    message = claims.predicate_type[:100] if held else f"the manifest says {said[:100]!r}"
    yield spot.at("$.predicateType").judged("predicate-type", message, held=held, hint=_REPLACED)
    yield _about(claims.subjects, image.descriptor.digest, spot.at("$.subject"))
    yield from _predicate(claims, spot)


def _payload(envelope: Envelope) -> bytes:
    if not envelope.payload_type.startswith(_STATEMENT):
        raise MalformedSignature(f"an envelope of {envelope.payload_type[:80]!r}, which is no statement")
    return envelope.payload


def _said_once(content: bytes, claims: Claims, spot: Spot) -> Finding:
    """What signs and what reads a statement may take different ones of two members with one name."""
    if len(content) > MAX_LOOKED_AT:
        return spot.skipped("statement", f"not looked through for members of one name: {len(content)} bytes")
    try:
        twins = has_twins(content)
    except ValueError as error:
        return spot.failed("statement", str(error))
    return spot.judged(
        "statement", TWINS if twins else claims.predicate_type[:200], held=not twins, hint=_REPLACED
    )


def _predicate(claims: Claims, spot: Spot) -> Iterator[Finding]:
    problems = predicate_problems(claims.predicate_type, claims.predicate)
    if problems is None:
        yield spot.skipped("predicate", "its type is not known here")
        return
    wrong = list(islice(problems, _SHOWN))
    for problem in wrong:
        yield spot.at("$.predicate").failed("predicate", problem, hint="whoever made it, made it wrong")
    if not wrong:
        yield spot.held("predicate", "well formed")


def _about(subjects: tuple[Digest, ...], image: Digest, spot: Spot) -> Finding:
    """An image without a name has statements without subjects: then the manifest alone says about what."""
    if not subjects:
        message = "names no subject, as for images that were built without a name"
        return spot.skipped("statement-subject", message)
    held = set(subjects) == {image}
    other = next((each for each in subjects if each != image), image)
    message = "is the image that it hangs on" if held else f"is another image: {other}"
    return spot.judged("statement-subject", message, held=held, hint=_REPLACED)
