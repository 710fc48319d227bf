"""Policies on what a build starts from: images, repositories and files of the network, before the first step.

The graph says what is used and where the Dockerfile says so; images are judged by what their index says of the
platform that is built on, and of their layers nothing is read. All that is refused is reported at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from builder.graph import Git, Http, Image, walk
from builder.source.errors import SourceError
from exporter.attest.policy.inputs import check_digest, check_git, check_http, check_image
from exporter.attest.provenance.redact import redacted
from frontend import read_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from builder.api.inputs import Inputs
    from builder.api.options import BuildOptions
    from builder.graph import Location, Target, Vertex
    from builder.oci.digest import Digest
    from builder.source.images import Documents, Meaning
    from builder.store.protocol import ContentReader
    from exporter.attest.policy.policy import Policy
    from exporter.attest.signing.checking import SignaturePlace
    from exporter.attest.verify.finding import Finding


class InputsRefused(SourceError):
    """A policy does not allow what the build starts from; `locations` are the lines that name it."""

    def __init__(self, refusals: Sequence[_Refusal]) -> None:
        super().__init__(
            "\n".join(f"{each.name} is refused by {each.policy}: {each.reason}" for each in refusals),
            hint="nothing was built; `dockyard verify --policy` says more about an image",
        )
        places = {str(each.location): each.location for each in refusals if each.location is not None}
        self.locations = tuple(places.values())


class _Refusal(NamedTuple):
    name: str
    policy: str
    reason: str
    location: Location | None = None


def require_allowed_context(options: BuildOptions) -> None:
    """Returns when policies allow the addresses that the build itself is fetched from. Raises: InputsRefused."""
    refusals = [
        _refusal(redacted(text), policy, finding)
        for policy in options.policies
        for text in (options.context, options.dockerfile)
        if text is not None and (address := read_address(text)) is not None
        for finding in _address_findings(policy, address, is_context=True)
    ]
    if refusals:
        raise InputsRefused(refusals)


def require_allowed(
    options: BuildOptions, targets: Sequence[Target], inputs: Inputs, content: ContentReader
) -> None:
    """Returns when policies allow all that `targets` start from; `content` may have signatures over images.

    Raises: InputsRefused; DockyardError when a registry cannot be asked what it says of an image.
    """
    vertices = list(walk(target.vertex for target in targets if target.vertex is not None))
    for each in vertices:
        if isinstance(each.operation, Image) and not _meanings(inputs, each.operation.digest):
            # A graph that was made elsewhere: what its names mean has not been looked at yet.
            inputs.layers(each.operation)
    refusals = [
        refusal
        for policy in options.policies
        for refusal in (*_images(policy, vertices, inputs, content), *_addresses(policy, vertices, options))
    ]
    if refusals:
        raise InputsRefused(refusals)


def pins_of(meanings: Sequence[Meaning]) -> dict[str, str]:
    """What names of images stood for, by their full names without digests."""
    named = {
        str(replace(each.reference, digest=None)): str(each.root) for each in meanings if not each.layout
    }
    return dict(sorted(named.items()))


def _images(
    policy: Policy, vertices: Sequence[Vertex], inputs: Inputs, content: ContentReader
) -> Iterator[_Refusal]:
    locations = {
        each.operation.digest: each.description.location
        for each in vertices
        if isinstance(each.operation, Image)
    }
    for meaning in inputs.meanings:
        name = f"oci-layout://{meaning.reference.familiar}" if meaning.layout else str(meaning.reference)
        location = locations.get(meaning.manifest)
        for finding in (*_named(policy, name, meaning), *_judged(policy, meaning, inputs, content)):
            if finding.state == "failed":
                where = f" ({finding.platform})" if finding.platform else ""
                yield _refusal(f"{name}{where}", policy, finding, location)


def _named(policy: Policy, name: str, meaning: Meaning) -> Iterator[Finding]:
    yield from check_image(policy.inputs, name, meaning.root)
    if not meaning.layout:
        bare = str(replace(meaning.reference, digest=None))
        yield from check_digest(
            policy.inputs, bare, meaning.root, is_named=meaning.reference.digest is not None
        )


def _judged(policy: Policy, meaning: Meaning, inputs: Inputs, content: ContentReader) -> tuple[Finding, ...]:
    """What the policy finds of the image itself."""
    if not policy.asks_of_images:
        return ()
    # Loaded here because policies about names alone need no more than names.
    from exporter.attest.verify.engine import verify_base

    found = inputs.documents(meaning)

    def signatures() -> SignaturePlace:
        return _place(found, meaning, content)

    return verify_base(found.reader, found.root, meaning.manifest, policy=policy, signatures=signatures)


def _place(found: Documents, meaning: Meaning, content: ContentReader) -> SignaturePlace:
    """Where signatures over the image are: in its layout, in the store, else at its registry."""
    from exporter.attest.signing.places import LayoutPlace, RegistryPlace
    from exporter.attest.signing.stored import StorePlace, has_signatures

    if found.layout is not None:
        return LayoutPlace(found.layout)
    if found.remote is None or has_signatures(content, found.root.digest):
        return StorePlace(content, found.root.digest)
    return RegistryPlace(found.remote(), meaning.reference)


def _addresses(policy: Policy, vertices: Sequence[Vertex], options: BuildOptions) -> Iterator[_Refusal]:
    texts = (options.context, options.dockerfile)
    own = [read_address(text) for text in texts if text is not None]
    for each in vertices:
        operation = each.operation
        if isinstance(operation, Git | Http) and not any(_is_same(operation, address) for address in own):
            name = operation.url if isinstance(operation, Http) else operation.remote
            for finding in _address_findings(policy, operation, is_context=False):
                yield _refusal(redacted(name), policy, finding, each.description.location)


def _address_findings(policy: Policy, address: Git | Http, *, is_context: bool) -> Iterator[Finding]:
    """`is_context`: what the build itself is fetched from may be what the server has now."""
    if isinstance(address, Http):
        found = check_http(policy.inputs, address.url, is_checked=is_context or address.checksum is not None)
    else:
        found = check_git(policy.inputs, address.remote, is_checked=is_context or _is_commit(address))
    yield from (finding for finding in found if finding.state == "failed")


def _is_commit(address: Git) -> bool:
    is_hash = len(address.ref) in (40, 64) and all(char in "0123456789abcdef" for char in address.ref)
    return is_hash or bool(address.checksum)


def _is_same(one: Git | Http, other: Git | Http | None) -> bool:
    if isinstance(one, Git) and isinstance(other, Git):
        return (one.remote, one.ref) == (other.remote, other.ref)
    return isinstance(one, Http) and isinstance(other, Http) and one.url == other.url


def _meanings(inputs: Inputs, manifest: Digest) -> bool:
    return any(each.manifest == manifest for each in inputs.meanings)


def _refusal(name: str, policy: Policy, finding: Finding, location: Location | None = None) -> _Refusal:
    rule = f"[{finding.rule}] " if finding.rule else ""
    hint = f" ({finding.hint})" if finding.hint else ""
    return _Refusal(name, policy.origin, f"{rule}{finding.message}{hint}", location)
