"""Manifests of caches: made for export, and read from whatever form somebody else has given them.

A cache is an image manifest with a cache config, or an index that lists layers and, last, the config. Anything
else is an image, whose config may hold a cache inline. Nothing of a layer is read here.
Source: BuildKit, cache/remotecache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from builder.cache.remote.config import (
    CACHE_CONFIG,
    decode_cache_config,
    decode_inline,
    encode_cache_config,
    require_small,
)
from builder.cache.remote.places import INLINE
from builder.cache.remote.stacks import (
    CachedLayer,
    Known,
    describe_steps,
    listed_layer,
    read_config,
    read_inline,
    read_listed,
)
from builder.oci.config import decode_config
from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest, encode_json
from builder.oci.manifest import Index, InvalidDocument, Manifest, decode_index, decode_manifest
from builder.oci.mediatypes import DOCKER_INDEX, INDEXES, OCI_INDEX, OCI_MANIFEST, docker_layer_type
from builder.store.imagegraph import is_attestation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from builder.cache.remote.stacks import CachedStep
    from builder.store.protocol import DocumentReader


class CacheDocuments(msgspec.Struct, frozen=True, kw_only=True):
    """A cache ready to be stored: its manifest, its config, and the layers that both speak of."""

    root: Descriptor
    manifest: bytes
    config: Descriptor
    config_content: bytes
    layers: tuple[Descriptor, ...]


def cache_documents(
    steps: Iterable[CachedStep], *, image_manifest: bool = True, oci_types: bool = True
) -> CacheDocuments:
    """The documents of a cache of `steps`, as an image manifest or as an index.

    Raises: InvalidDocument when they would be larger than anybody reads.
    """
    described, layers = describe_steps(steps)
    content = encode_cache_config(described)
    config = Descriptor(media_type=CACHE_CONFIG, digest=Digest.of(content), size=len(content))
    listed = tuple(map(listed_layer, layers))
    if not oci_types:
        listed = tuple(replace(each, media_type=docker_layer_type(each.media_type)) for each in listed)
    if image_manifest:
        document: Manifest | Index = Manifest(
            schema_version=2, media_type=OCI_MANIFEST, config=config, layers=listed
        )
    else:
        media_type = OCI_INDEX if oci_types else DOCKER_INDEX
        document = Index(schema_version=2, media_type=media_type, manifests=(*listed, config))
    manifest = encode_json(document)
    require_small(len(manifest), "cache manifest")
    return CacheDocuments(
        root=Descriptor(media_type=document.media_type, digest=Digest.of(manifest), size=len(manifest)),
        manifest=manifest,
        config=config,
        config_content=content,
        layers=listed,
    )


def read_cache(reader: DocumentReader, root: Descriptor) -> tuple[Known, ...]:
    """What the cache below `root` knows, or the caches in the configs of the images below it.

    Raises: DockyardError for documents that are missing, too large, malformed, or hold no cache.
    """
    if root.media_type not in INDEXES:
        return (_read_manifest(reader, root),)
    index = decode_index(_read_small(reader, root), root.media_type)
    config = next((each for each in index.manifests if each.media_type == CACHE_CONFIG), None)
    if config is not None:
        return (_read_listed(reader, config, index.manifests),)
    images = [each for each in index.manifests if not is_attestation(each)]
    return tuple(_read_manifest(reader, each) for each in images)


def _read_manifest(reader: DocumentReader, descriptor: Descriptor) -> Known:
    manifest = decode_manifest(_read_small(reader, descriptor), descriptor.media_type)
    if manifest.config.media_type == CACHE_CONFIG:
        return _read_listed(reader, manifest.config, manifest.layers)
    config = decode_config(_read_small(reader, manifest.config))
    if INLINE not in config.extra:
        return Known((), (), ())
    if len(config.diff_ids) != len(manifest.layers):
        raise InvalidDocument("invalid image with mismatching manifest and config")
    times = (entry.created or "" for entry in config.history if not entry.empty_layer)
    image = [
        CachedLayer(descriptor=layer, diff_id=diff_id, created=next(times, ""))
        for layer, diff_id in zip(manifest.layers, config.diff_ids, strict=True)
    ]
    return read_inline(decode_inline(bytes(config.extra[INLINE])), image)


def _read_listed(reader: DocumentReader, config: Descriptor, listed: Sequence[Descriptor]) -> Known:
    layers = {layer.descriptor.digest: layer for layer in _layers(listed)}
    return read_config(decode_cache_config(_read_small(reader, config)), layers)


def _layers(listed: Sequence[Descriptor]) -> Iterator[CachedLayer]:
    for descriptor in listed:
        if (layer := read_listed(descriptor)) is not None:
            yield layer


def _read_small(reader: DocumentReader, descriptor: Descriptor) -> bytes:
    require_small(descriptor.size, f"blob {descriptor.digest}")
    return reader.read(descriptor)
