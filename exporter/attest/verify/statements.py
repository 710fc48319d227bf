"""Attestation manifests and their statements: each about the image that it hangs on, and well formed.

Source: BuildKit's docs/attestations/attestation-storage.md; in-toto statements v0.1 and v1.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Final

from builder.oci.mediatypes import ATTESTATION_ARTIFACT, IN_TOTO
from builder.store.errors import StoreError
from builder.store.imagegraph import REFERENCE_TYPE
from exporter.attest.attach import ATTESTATION_MANIFEST, PREDICATE_TYPE, REFERENCE_DIGEST
from exporter.attest.signing.checking import read_blob
from exporter.attest.signing.claims import read_claims
from exporter.attest.signing.dsse import ENVELOPE, decode_envelope
from exporter.attest.signing.errors import MalformedSignature
from exporter.attest.verify.finding import Finding, failed, judge
from exporter.attest.verify.predicates import predicate_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from builder.oci.descriptor import Descriptor
    from builder.store.protocol import BlobReader
    from exporter.attest.verify.graph import AttestationEntry, ImageEntry

_OLDER_REFERENCE: Final = "com.docker.reference.digest"
_SHOWN: Final = 5
"""Problems of one predicate that are shown."""


def check_attestations(
    reader: BlobReader, images: Sequence[ImageEntry], attestations: Sequence[AttestationEntry]
) -> Iterator[Finding]:
    """Every attestation manifest, and that all images have one as soon as any has."""
    by_digest = {image.descriptor.digest: image for image in images}
    counts = Counter(_reference(entry.descriptor) for entry in attestations)
    for entry in attestations:
        image = by_digest.get(_reference(entry.descriptor))  # type: ignore[call-overload]
        digest = entry.descriptor.digest
        if image is None:
            yield failed("reference", digest, f"is about {_reference(entry.descriptor)[:80] or 'nothing'}, "
                        "which is no image of this index")  # fmt: skip
            continue
        kind = entry.descriptor.annotations.get(REFERENCE_TYPE, ATTESTATION_MANIFEST)
        held = kind == ATTESTATION_MANIFEST
        yield judge(
            "reference", held, digest, f"{kind[:80]} of {image.descriptor.digest}", platform=image.platform
        )
        yield from _subject(entry, image)
        for number, layer in enumerate(entry.manifest.layers):
            yield from _statement(reader, layer, image, f"$.layers[{number}]")
    for image in images if attestations else ():
        count = counts[image.descriptor.digest]
        message = f"{count} attestation manifests; one is right when any platform has one"
        yield judge("attested", count == 1, image.descriptor.digest, message, platform=image.platform)


def _reference(entry: Descriptor) -> str:
    return entry.annotations.get(REFERENCE_DIGEST) or entry.annotations.get(_OLDER_REFERENCE, "")


def _subject(entry: AttestationEntry, image: ImageEntry) -> Iterator[Finding]:
    subject, digest = entry.manifest.subject, entry.descriptor.digest
    if subject is None:
        if entry.manifest.artifact_type == ATTESTATION_ARTIFACT:
            message = "an artifact without subject"
            yield failed("subject", digest, message, platform=image.platform, path="$.subject")
        return
    expected = image.descriptor
    held = (subject.digest, subject.size, subject.media_type) == (
        expected.digest, expected.size, expected.media_type,
    )  # fmt: skip
    message = "is the image that it hangs on" if held else f"is {subject.digest}, which is another"
    yield judge("subject", held, digest, message, platform=image.platform, path="$.subject")


def _statement(reader: BlobReader, layer: Descriptor, image: ImageEntry, path: str) -> Iterator[Finding]:
    platform = image.platform

    def found(check: str, message: str, at: str = "", *, held: bool) -> Finding:
        return judge(check, held, layer.digest, message, platform=platform, path=at)

    enveloped = layer.media_type == ENVELOPE or layer.media_type.endswith("+dsse")
    if layer.media_type != IN_TOTO and not enveloped:
        yield found("media-type", f"{layer.media_type[:100]!r} is no statement", path, held=False)
        return
    try:
        content = read_blob(reader, layer)
        claims = read_claims(decode_envelope(content).payload if enveloped else content)
    except (StoreError, MalformedSignature) as error:
        yield found("statement", error.message, held=False)
        return
    said = layer.annotations.get(PREDICATE_TYPE, "")
    yield found("statement", claims.predicate_type[:200], held=True)
    message = (
        claims.predicate_type[:100] if said == claims.predicate_type else f"the manifest says {said[:100]!r}"
    )
    yield found("predicate-type", message, "$.predicateType", held=said == claims.predicate_type)
    yield _about(claims.subjects, layer, image)
    problems = predicate_problems(claims.predicate_type, claims.predicate)
    if problems is None:
        yield Finding(check="predicate", state="skipped", digest=layer.digest, platform=platform,
                      message="its type is not known here")  # fmt: skip
        return
    wrong = list(islice(problems, _SHOWN))
    for problem in wrong:
        yield found("predicate", problem, "$.predicate", held=False)
    if not wrong:
        yield found("predicate", "well formed", held=True)


def _about(subjects: Sequence[str], layer: Descriptor, image: ImageEntry) -> Finding:
    """An image without a name has statements without subjects: then the manifest alone says about what."""
    if not subjects:
        message = "names no subject, as for images that were built without a name"
        return Finding(check="statement-subject", state="skipped", digest=layer.digest, platform=image.platform,
                       message=message, path="$.subject")  # fmt: skip
    held = set(subjects) == {image.descriptor.digest}
    message = "is the image that it hangs on" if held else f"is another image: {subjects[0]}"
    return judge("statement-subject", held, layer.digest, message, platform=image.platform, path="$.subject")
