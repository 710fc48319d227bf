"""The cache config: BuildKit's description of cache keys and the layers that they stand for.

One format for all caches elsewhere, written as BuildKit writes it, so that its tools can read ours; what is read
may be anybody's, and is bounded and checked here before anything is made of it.
Source: BuildKit, cache/remotecache/v1, "application/vnd.buildkit.cacheconfig.v0".
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec

from builder.oci.digest import Digest, decode_hook, encode_json
from builder.oci.manifest import MAX_DOCUMENT, InvalidDocument

CACHE_CONFIG: Final = "application/vnd.buildkit.cacheconfig.v0"

MAX_CONFIG: Final = MAX_DOCUMENT
"""Bytes of the largest manifest, config or inline cache that is read, or written."""

BUILDKIT_MAX_CONFIG: Final = 1 << 20
"""Bytes of the largest one that BuildKit reads. Source: cache/remotecache/import.go, `readBlob`."""

NO_PARENT: Final = -1


class LayerAnnotations(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a manifest would say of a layer, for places that keep none; `created_at` in RFC 3339."""

    media_type: str = msgspec.field(name="mediaType", default="")
    diff_id: Digest | None = msgspec.field(name="diffID", default=None)
    size: int = 0
    created_at: str = msgspec.field(name="createdAt", default="")


class CacheLayer(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A blob on top of the layer `parent`, which is missing for the first one and `NO_PARENT` for none."""

    blob: Digest
    parent: int = 0
    annotations: LayerAnnotations | None = None


class LayerResult(msgspec.Struct, frozen=True, kw_only=True):
    """The stack that ends with `layer`; `created_at` in RFC 3339."""

    layer: int = 0
    created_at: str = msgspec.field(name="createdAt", default="")


class ChainResult(msgspec.Struct, frozen=True, kw_only=True):
    """The stack of `layers`, lowest first, whatever their parents are."""

    layers: tuple[int, ...] = ()
    created_at: str = msgspec.field(name="createdAt", default="")


class Link(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One of the records that an input may be."""

    selector: str = ""
    link: int = msgspec.field(default=NO_PARENT)


class CacheRecord(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A cache key, with its results, if they are there, and the keys of its inputs, if it has any."""

    layers: tuple[LayerResult, ...] = ()
    chains: tuple[ChainResult, ...] = ()
    digest: Digest
    inputs: tuple[tuple[Link, ...], ...] = ()


class CacheConfig(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """All that a cache knows."""

    layers: tuple[CacheLayer, ...] = ()
    records: tuple[CacheRecord, ...] = ()


def encode_cache_config(config: CacheConfig) -> bytes:
    """The bytes of `config`: compact JSON. Raises: InvalidDocument when nobody would read it."""
    content = encode_json(config)
    require_small(len(content), "cache config")
    return content


def decode_cache_config(content: bytes) -> CacheConfig:
    """The cache config in `content`. Raises: InvalidDocument."""
    require_small(len(content), "cache config")
    try:
        config = msgspec.json.decode(content, type=CacheConfig, dec_hook=decode_hook)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidDocument(f"malformed cache config: {error}") from error
    _require_links(config.records)
    return config


def encode_inline(records: tuple[CacheRecord, ...]) -> bytes:
    """The value of the member `INLINE`: a JSON string."""
    return encode_json(base64.b64encode(encode_json(records)).decode())


def decode_inline(value: bytes) -> tuple[CacheRecord, ...]:
    """The records in the JSON `value` of the member `INLINE`. Raises: InvalidDocument."""
    require_small(len(value), "inline cache")
    try:
        content = base64.b64decode(msgspec.json.decode(value, type=str), validate=True)
        records = msgspec.json.decode(content, type=tuple[CacheRecord, ...], dec_hook=decode_hook)
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise InvalidDocument(f"malformed inline cache: {error}") from error
    _require_links(records)
    return records


def require_small(size: int, what: str) -> None:
    """Raises: InvalidDocument when `size` is more than is read of a cache's documents."""
    if size > MAX_CONFIG:
        raise InvalidDocument(f"{what} is too large ({size} > {MAX_CONFIG})")


def _require_links(records: tuple[CacheRecord, ...]) -> None:
    for record in records:
        for alternatives in record.inputs:
            if not alternatives:
                raise InvalidDocument(f"cache record {record.digest} has an input without any key")
            for each in alternatives:
                if not 0 <= each.link < len(records):
                    raise InvalidDocument(
                        f"cache record {record.digest} points at record {each.link}, which is not there"
                    )
    _require_no_circle(records)


def _require_no_circle(records: tuple[CacheRecord, ...]) -> None:
    """A key that is made of itself is none; found without recursion, for chains of any length."""
    waiting = [sum(len(alternatives) for alternatives in record.inputs) for record in records]
    users: list[list[int]] = [[] for _ in records]
    for position, record in enumerate(records):
        for alternatives in record.inputs:
            for each in alternatives:
                users[each.link].append(position)
    free = [position for position, count in enumerate(waiting) if not count]
    done = 0
    while free:
        done += 1
        for user in users[free.pop()]:
            waiting[user] -= 1
            if not waiting[user]:
                free.append(user)
    if done != len(records):
        raise InvalidDocument("cache records point at each other in a circle")
