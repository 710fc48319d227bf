"""Materials: the images, repositories and files that a result was really made from.

They come from the graph and from what its names were resolved to, never from what was executed: a build whose
steps were all cached was made of the same things.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from builder.graph import Git, Http, Image, walk
from builder.oci.digest import Digest
from builder.oci.reference import parse_reference
from exporter.attest.provenance.facts import Material
from exporter.attest.provenance.redact import redacted
from exporter.attest.purl import image_purl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from builder.graph import Target, Vertex
    from builder.oci.reference import Reference
    from builder.platforms import Platform
    from builder.source.images import Meaning

_SHA1_DIGITS: Final = 40


def materials_of(
    target: Target,
    targets: Sequence[Target],
    *,
    meanings: Sequence[Meaning],
    remotes: Mapping[Http | Git, str],
) -> tuple[Material, ...]:
    """What the result of `target`, one of `targets`, was made from; each once.

    `meanings` are all names of images that were looked up, `remotes` what sources of the network were found to be;
    one that is in no graph was a context, or the Dockerfile, and serves all.
    """
    vertices = _vertices((target.vertex,))
    images = [vertex.operation for vertex in vertices if isinstance(vertex.operation, Image)]
    in_graphs = {
        each.operation.digest
        for each in _vertices(each.vertex for each in targets)
        if isinstance(each.operation, Image)
    }
    configs = [each for each in meanings if each.manifest not in in_graphs]
    platforms = [each.platform for each in targets]
    used = [_meaning(each, meanings) for each in images]
    used += [each for each in configs if _is_for(each, target.platform, configs, platforms)]
    found = [_image_material(each, used) for each in used]
    found += [_remote_material(each, remotes) for each in _remotes(vertices, targets, remotes)]
    return tuple({each.uri: each for each in found if each is not None}.values())


def _vertices(roots: Iterable[Vertex | None]) -> tuple[Vertex, ...]:
    return tuple(walk(each for each in roots if each is not None))


def _meaning(operation: Image, meanings: Sequence[Meaning]) -> Meaning:
    """Where an image of the graph came from; of a graph without a Dockerfile, what it says itself."""
    from builder.source.images import Meaning

    reference = parse_reference(operation.reference)
    for each in meanings:
        # In the graph a name is pinned to the manifest that it led to.
        if each.manifest == operation.digest and reference in (
            each.reference,
            each.reference.with_digest(each.manifest),
        ):
            return each
    return Meaning(
        reference=reference,
        platform=operation.platform,
        root=operation.digest,
        manifest=operation.digest,
    )


def _is_for(
    meaning: Meaning, platform: Platform, configs: Sequence[Meaning], platforms: Sequence[Platform]
) -> bool:
    """Whether an image that gave nothing but its config was for `platform`.

    One that was looked up for every platform serves each in its own result; another one may serve them all.
    """
    served = {_bare(each.platform) for each in configs if each.reference == meaning.reference}
    return _bare(meaning.platform) == _bare(platform) or not served >= {_bare(each) for each in platforms}


def _bare(platform: Platform) -> tuple[str, str]:
    return platform.os, platform.architecture


def _image_material(meaning: Meaning, used: Sequence[Meaning]) -> Material | None:
    """None for a name that is a digest alone when the same image is among `used` under a tag."""
    reference = meaning.reference
    if reference.digest is not None and not reference.tag:
        tagged = (each.reference for each in used if each.root == meaning.root and each.reference.tag)
        if any(replace(each, tag="", digest=None) == _unpinned(reference) for each in tagged):
            return None
    kind = "oci" if meaning.layout else "docker"
    uri = image_purl(reference, meaning.platform, kind=kind)
    return Material(kind="image", uri=uri, digest={"sha256": meaning.root.hex})


def _unpinned(reference: Reference) -> Reference:
    return replace(reference, digest=None)


def _remotes(
    vertices: Sequence[Vertex], targets: Sequence[Target], remotes: Mapping[Http | Git, str]
) -> list[Http | Git]:
    everywhere = {
        each.operation
        for each in _vertices(each.vertex for each in targets)
        if isinstance(each.operation, Git | Http)
    }
    own = [vertex.operation for vertex in vertices if isinstance(vertex.operation, Git | Http)]
    return [*own, *(each for each in remotes if each not in everywhere)]


def _remote_material(operation: Git | Http, remotes: Mapping[Http | Git, str]) -> Material:
    digest = source_digest(operation, remotes.get(operation, ""))
    if isinstance(operation, Http):
        return Material(kind="http", uri=redacted(operation.url), digest=digest)
    uri = redacted(operation.remote) + (f"#{operation.ref}" if operation.ref else "")
    return Material(kind="git", uri=uri, digest=digest)


def source_digest(operation: Git | Http, found: str) -> dict[str, str]:
    """`found`, what a source was found to be, by the name of its algorithm; empty when that is not known."""
    if not found:
        return {}
    if isinstance(operation, Http):
        return {"sha256": Digest(found).hex}
    return {"sha1" if len(found) == _SHA1_DIGITS else "sha256": found}
