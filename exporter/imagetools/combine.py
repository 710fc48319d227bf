"""Several images combined into one index. Pure, but for reading documents.

Manifests are listed as they are, never written again: whoever pulls a platform gets what its author pushed. An
attestation goes where the image goes that it is about.
Source: buildx's `imagetools create`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from builder.oci.descriptor import Descriptor, PlatformObject
from builder.oci.digest import Digest
from builder.oci.manifest import Index, encode_document
from builder.oci.mediatypes import CONFIGS, DOCKER_INDEX, DOCKER_MANIFEST, INDEXES, MANIFESTS, OCI_INDEX
from builder.store.imagegraph import is_attestation, read_config, read_index, read_manifest
from builder.store.protocol import DocumentReader
from exporter.annotations import annotations_for
from exporter.attest.attach import REFERENCE_DIGEST
from exporter.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from builder.platforms import Platform
    from exporter.annotations import Annotation

_DOCKER: Final = frozenset({DOCKER_INDEX, DOCKER_MANIFEST})


class Source(msgspec.Struct, frozen=True):
    """An image or index to combine, and who reads it."""

    descriptor: Descriptor
    reader: DocumentReader


class Combined(msgspec.Struct, frozen=True):
    """The result: a root and its bytes."""

    root: Descriptor
    content: bytes


def combine(
    sources: Sequence[Source],
    *,
    annotations: Sequence[Annotation] = (),
    platforms: Sequence[Platform] = (),
    prefer_index: bool = True,
) -> Combined:
    """One image of all `sources`, of `platforms` if there are any; a single one is copied as it is.

    With `prefer_index` a single manifest gets an index around it.
    Raises: ExportError, InvalidDocument, RegistryError, StoreError.
    """
    _require_possible(annotations)
    only = sources[0] if len(sources) == 1 and not annotations and not platforms else None
    if only is not None and (only.descriptor.media_type in INDEXES or not prefer_index):
        return Combined(only.descriptor, only.reader.read(only.descriptor))
    # Equal statements about two images are one manifest, listed twice.
    entries: dict[tuple[Digest, str], Descriptor] = {}
    own: dict[str, str] = {}
    for source in sources:
        found, said = _entries(source)
        own |= said
        for entry in found:
            key = (entry.digest, entry.annotations.get(REFERENCE_DIGEST, ""))
            entries[key] = _joined(entries.get(key), entry)
    chosen = _chosen(tuple(entries.values()), platforms)
    _require_platforms(annotations, chosen)
    own |= annotations_for(annotations, "index")
    index = Index(
        schema_version=2,
        media_type=_media_type(sources, chosen, annotated=bool(own) or bool(annotations)),
        manifests=tuple(_annotated(entry, annotations) for entry in chosen),
        annotations=own,
    )
    content = encode_document(index)
    root = Descriptor(
        media_type=index.media_type,
        digest=Digest.of(content),
        size=len(content),
        annotations=annotations_for(annotations, "index-descriptor"),
    )
    return Combined(root, content)


def _entries(source: Source) -> tuple[tuple[Descriptor, ...], dict[str, str]]:
    """What a source adds to the index, and its own annotations."""
    descriptor = source.descriptor
    if descriptor.media_type in INDEXES:
        index = read_index(source.reader, descriptor)
        return index.manifests, dict(index.annotations)
    if descriptor.media_type not in MANIFESTS:
        raise ExportError(f"{descriptor.digest} is no image: its media type is {descriptor.media_type!r}")
    if descriptor.platform is None:
        manifest = read_manifest(source.reader, descriptor)
        if manifest.config.media_type in CONFIGS:
            config = read_config(source.reader, manifest)
            platform = PlatformObject(architecture=config.architecture, os=config.os, variant=config.variant)
            descriptor = replace(descriptor, platform=platform)
    return (descriptor,), {}


def _joined(known: Descriptor | None, entry: Descriptor) -> Descriptor:
    """One entry for what two sources list; the later one's words count, what it does not say stays."""
    if known is None:
        return entry
    return replace(
        known,
        annotations={**known.annotations, **entry.annotations},
        platform=entry.platform or known.platform,
    )


def _chosen(entries: tuple[Descriptor, ...], platforms: Sequence[Platform]) -> tuple[Descriptor, ...]:
    """The entries for `platforms`, and what is attested of those."""
    if not platforms:
        return entries
    wanted = {platform.normalized() for platform in platforms}
    images = {
        entry.digest
        for entry in entries
        if not is_attestation(entry) and entry.platform is not None and entry.platform.platform in wanted
    }
    if not images:
        raise ExportError("none of the manifests match the provided platforms")
    return tuple(
        entry
        for entry in entries
        if (entry.annotations.get(REFERENCE_DIGEST) if is_attestation(entry) else entry.digest) in images
    )


def _annotated(entry: Descriptor, annotations: Sequence[Annotation]) -> Descriptor:
    if is_attestation(entry):
        return entry
    platform = entry.platform.platform if entry.platform is not None else None
    added = annotations_for(annotations, "manifest-descriptor", platform)
    return replace(entry, annotations={**entry.annotations, **added}) if added else entry


def _media_type(sources: Iterable[Source], entries: Iterable[Descriptor], *, annotated: bool) -> str:
    """Docker's list where everything is Docker's; it has no annotations."""
    types = {each.descriptor.media_type for each in sources} | {each.media_type for each in entries}
    return DOCKER_INDEX if types <= _DOCKER and not annotated else OCI_INDEX


def _require_possible(annotations: Iterable[Annotation]) -> None:
    if any(each.level == "manifest" for each in annotations):
        raise ExportError(
            "manifest annotations are not supported: the manifests of the sources stay as they are",
            hint="annotate the index or its descriptors: index:KEY=VALUE, manifest-descriptor:KEY=VALUE",
        )


def _require_platforms(annotations: Iterable[Annotation], entries: Sequence[Descriptor]) -> None:
    offered = {entry.platform.platform for entry in entries if entry.platform is not None}
    for each in annotations:
        if each.platform is not None and each.platform not in offered:
            raise ExportError(f"invalid annotation: no platform {each.platform} found in source")
