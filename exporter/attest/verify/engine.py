"""All checks of an image in the order of the report. Offline: reads blobs, opens no connection."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exporter.attest.signing.checking import check_signatures
from exporter.attest.verify.blobs import check_blobs
from exporter.attest.verify.finding import Finding, Spot
from exporter.attest.verify.graph import Graph
from exporter.attest.verify.layers import check_layers
from exporter.attest.verify.statements import Statement, check_attestations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from builder.oci.descriptor import Descriptor
    from builder.oci.digest import Digest
    from builder.platforms import Platform
    from builder.store.protocol import BlobReader
    from exporter.attest.policy.policy import Policy
    from exporter.attest.signing.checking import SignaturePlace
    from exporter.attest.signing.keys import PublicKey


def verify_image(
    reader: BlobReader,
    root: Descriptor,
    *,
    place: SignaturePlace,
    keys: Sequence[PublicKey] = (),
    platforms: Sequence[Platform] = (),
    policies: Sequence[Policy] = (),
    elsewhere: str = "",
    now: datetime | None = None,
    deep: bool = False,
) -> tuple[Finding, ...]:
    """What was checked of the image below `root`; it holds when no finding failed.

    `keys`: one of them must have signed the root, or every platform's manifest. `platforms` must be there.
    All of `policies` must hold at the time `now`, which has a time zone (default: that of the clock).
    `deep`: layers are decompressed even if they are large.
    `elsewhere` is the repository that has the platforms and layers which `reader` lacks; empty: they must be here.
    Raises: DockyardError when `place` cannot be asked.
    """
    graph = Graph(reader, root, elsewhere=elsewhere)
    statements: list[Statement] = []
    findings = (
        *graph.findings,
        *check_blobs(reader, graph.blobs, elsewhere=elsewhere),
        *check_layers(reader, graph.images, deep=deep),
        *_platforms(graph, root, platforms),
        *check_attestations(reader, graph, hear=statements.append),
        *_signatures(graph, root, place, keys, asked=any(policy.signatures.keys for policy in policies)),
    )
    if not policies:
        return findings
    # Loaded here because most images are judged without any.
    from exporter.attest.policy.evidence import gather
    from exporter.attest.policy.judge import judge_whole

    evidence = gather(root, graph, statements, signatures=lambda: place, now=now or datetime.now(UTC))
    return (*findings, *(found for policy in policies for found in judge_whole(policy, evidence, findings)))


def verify_base(
    reader: BlobReader,
    root: Descriptor,
    manifest: Digest,
    *,
    policy: Policy,
    signatures: Callable[[], SignaturePlace],
    now: datetime | None = None,
) -> tuple[Finding, ...]:
    """`policy` on the image of one platform, `manifest`, below `root`: of others and of layers nothing is read.

    `reader` verifies what it reads. Raises: DockyardError when it or the place of signatures cannot be asked.
    """
    from exporter.attest.policy.evidence import gather
    from exporter.attest.policy.judge import judge

    graph = Graph(reader, root, only=manifest)
    statements: list[Statement] = []
    said = tuple(check_attestations(reader, graph, hear=statements.append))
    evidence = gather(root, graph, statements, signatures=signatures, now=now or datetime.now(UTC))
    return (*graph.findings, *said, *judge(policy, evidence))


def _platforms(graph: Graph, root: Descriptor, wanted: Sequence[Platform]) -> Iterator[Finding]:
    counts = Counter(image.platform for image in graph.images)
    if not counts:
        yield Spot(root.digest).failed("image", "there is no image in it", hint="name the image, or pull it")
    for platform, count in counts.items():
        if count > 1:
            yield Spot(root.digest, platform).failed("platform-twice", f"{count} images for it")
    for platform in map(str, wanted):
        held = platform in counts
        message = "is there" if held else "there is no image for it"
        hint = f"the image has {', '.join(counts) or 'none'}"
        yield Spot(root.digest, platform).judged("platform-required", message, held=held, hint=hint)


def _signatures(
    graph: Graph, root: Descriptor, place: SignaturePlace, keys: Sequence[PublicKey], *, asked: bool
) -> Iterator[Finding]:
    """`asked`: a policy has keys of its own, and judges them."""
    if not keys:
        if asked:
            return
        yield Spot(root.digest).skipped(
            "signature", "not checked: no key was given", hint="give one with --key"
        )
        return
    # A signed index vouches for all below it; failing that, each image must have a signature of its own.
    whole = _signed(root, "", place, keys)
    images = [_signed(image.descriptor, image.platform, place, keys) for image in graph.images]
    if whole.state == "held" or not images or any(finding.state == "failed" for finding in images):
        yield whole
        return
    yield from images
    message = "by no key: which platforms there are, and what is said about them, is vouched for by nobody"
    hint = "sign the index, or let a policy ask for signed statements"
    yield Spot(root.digest).skipped("signature", message, hint=hint)


def _signed(blob: Descriptor, platform: str, place: SignaturePlace, keys: Sequence[PublicKey]) -> Finding:
    spot = Spot(blob.digest, platform)
    found = [each for each in check_signatures(place, blob, keys) if each.kind == "image"]
    held = next((each for each in found if each.holds), None)
    if held is not None and held.key is not None:
        return spot.held("signature", f"by {held.key.origin}")
    reasons = "; ".join(dict.fromkeys(each.problem for each in found)) or "no signature"
    return spot.failed("signature", reasons, hint="sign it with one of the keys: dockyard sign")
