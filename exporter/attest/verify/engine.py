"""All checks of an image in the order of the report. Offline: reads blobs, opens no connection."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from exporter.attest.signing.checking import check_signatures
from exporter.attest.verify.blobs import check_blobs
from exporter.attest.verify.finding import Finding, failed, judge, passed
from exporter.attest.verify.graph import Graph
from exporter.attest.verify.statements import check_attestations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from builder.oci.descriptor import Descriptor
    from builder.platforms import Platform
    from builder.store.protocol import BlobReader
    from exporter.attest.signing.checking import SignaturePlace
    from exporter.attest.signing.keys import PublicKey


def verify_image(
    reader: BlobReader,
    root: Descriptor,
    *,
    place: SignaturePlace,
    keys: Sequence[PublicKey] = (),
    platforms: Sequence[Platform] = (),
) -> tuple[Finding, ...]:
    """What was checked of the image below `root`; it holds when no finding failed.

    `keys`: one of them must have signed the root, or every platform's manifest. `platforms` must be there.
    Raises: DockyardError when `place` cannot be asked.
    """
    graph = Graph(reader, root)
    known = {finding.digest for finding in graph.findings if finding.check in ("blob", "size")}
    rest = [blob for blob in graph.blobs if blob.digest not in known]
    return (
        *graph.findings,
        *check_blobs(reader, rest),
        *_platforms(graph, root, platforms),
        *check_attestations(reader, graph.images, graph.attestations),
        *_signatures(graph, root, place, keys),
    )


def _platforms(graph: Graph, root: Descriptor, wanted: Sequence[Platform]) -> Iterator[Finding]:
    counts = Counter(image.platform for image in graph.images)
    if not counts:
        yield failed("image", root.digest, "there is no image in it")
    for platform, count in counts.items():
        if count > 1:
            yield failed("platform-twice", root.digest, f"{count} images for it", platform=platform)
    for platform in map(str, wanted):
        message = "is there" if platform in counts else "there is no image for it"
        yield judge("platform-required", platform in counts, root.digest, message, platform=platform)


def _signatures(
    graph: Graph, root: Descriptor, place: SignaturePlace, keys: Sequence[PublicKey]
) -> Iterator[Finding]:
    if not keys:
        message = "not checked: no key was given"
        yield Finding(check="signature", state="skipped", digest=root.digest, message=message)
        return
    # A signed index vouches for all below it; failing that, each image must have a signature of its own.
    whole = _signed(root, "", place, keys)
    images = [_signed(image.descriptor, image.platform, place, keys) for image in graph.images]
    each = bool(images) and all(finding.state == "held" for finding in images)
    yield from images if each and whole.state != "held" else (whole,)


def _signed(blob: Descriptor, platform: str, place: SignaturePlace, keys: Sequence[PublicKey]) -> Finding:
    found = [each for each in check_signatures(place, blob, keys) if each.kind == "image"]
    held = next((each for each in found if each.holds), None)
    if held is not None and held.key is not None:
        return passed("signature", blob.digest, f"by {held.key.origin}", platform=platform)
    reasons = "; ".join(dict.fromkeys(each.problem for each in found)) or "no signature"
    return failed("signature", blob.digest, reasons, platform=platform)
