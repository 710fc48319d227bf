"""Steps as a cache config says them, and back: keys, what definitions led to, and stacks of layers. Pure.

A step's key needs nothing but itself, so its record has no inputs. A definition's record has one: the record of
the key that it led to. Both have the result, as BuildKit keeps results under keys of both kinds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from builder.cache.remote.config import (
    NO_PARENT,
    CacheConfig,
    CacheLayer,
    CacheRecord,
    ChainResult,
    LayerAnnotations,
    LayerResult,
    Link,
)
from builder.oci.descriptor import Descriptor
from builder.oci.digest import DiffID, Digest, InvalidDigest
from builder.oci.manifest import InvalidDocument
from builder.oci.mediatypes import is_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_UNCOMPRESSED: Final = "containerd.io/uncompressed"
_CREATED_AT: Final = "buildkit/createdat"
"""Annotations of a cache manifest's layers: the diff ID, and a time in RFC 3339."""

_NEVER: Final = "0001-01-01T00:00:00Z"
"""How a time is written that nobody knows."""


class CachedLayer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer's blob, wherever it is. `created` in RFC 3339, empty when nobody knows."""

    descriptor: Descriptor
    diff_id: DiffID
    created: str = ""


class CachedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step: its `key`, the `definition` that led to it, its layers, lowest first; None: they are not exported."""

    key: Digest
    definition: Digest | None = None
    layers: tuple[CachedLayer, ...] | None = None


class Known:
    """What a cache knows. Stacks are put together when somebody asks: a small config can describe huge ones."""

    def __init__(
        self,
        listed: Sequence[CachedLayer | None],
        parents: Sequence[int],
        records: Sequence[CacheRecord],
    ) -> None:
        """`listed` layers stand on `parents`; None is one that cannot be used. Raises: InvalidDocument."""
        _require_stacks(parents)
        self._listed = listed
        self._parents = parents
        self._records: dict[Digest, list[CacheRecord]] = {}
        self.definitions: dict[Digest, Digest] = {}
        """Keys by the definitions that led to them."""
        for record in records:
            _require_listed(record, len(listed))
            self._records.setdefault(record.digest, []).append(record)
            if len(record.inputs) == 1:
                self.definitions.setdefault(record.digest, records[record.inputs[0][0].link].digest)

    @property
    def layers(self) -> tuple[CachedLayer, ...]:
        """Every layer that a result may have."""
        return tuple(layer for layer in self._listed if layer is not None)

    def knows(self, key: Digest) -> bool:
        """Whether there is a record of `key`, with a result or without."""
        return key in self._records

    def result(self, key: Digest) -> tuple[CachedLayer, ...] | None:
        """The layers under `key`, lowest first; None when there is no result of which all layers are known."""
        for record in self._records.get(key, ()):
            for chain in (
                *(_below(each.layer, self._parents) for each in record.layers),
                *(each.layers for each in record.chains),
            ):
                found = tuple(layer for n in chain if (layer := self._listed[n]) is not None)
                if found and len(found) == len(chain):
                    return found
        return None


class _Results(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a record says its result."""

    layers: tuple[LayerResult, ...] = ()
    chains: tuple[ChainResult, ...] = ()


def describe_steps(
    steps: Iterable[CachedStep], *, annotated: bool = False
) -> tuple[CacheConfig, tuple[CachedLayer, ...]]:
    """The config of a cache of `steps`, and the layers that it lists, in its order.

    `annotated`: the config says itself what its layers are. The order of `steps` does not matter.
    """
    steps = tuple(steps)
    stacks: dict[tuple[Digest, ...], CachedLayer] = {}
    for step in steps:
        blobs = _blobs(step.layers or ())
        for count, layer in enumerate(step.layers or (), start=1):
            # Uppermost first, because layers are listed by their own blob, and then by what is below it.
            stacks.setdefault(tuple(reversed(blobs[:count])), layer)
    order = {stack: position for position, stack in enumerate(sorted(stacks))}
    layers = tuple(
        CacheLayer(
            blob=stack[0],
            parent=order[stack[1:]] if stack[1:] else NO_PARENT,
            annotations=_annotations(stacks[stack]) if annotated else None,
        )
        for stack in order
    )

    def result(found: tuple[CachedLayer, ...]) -> _Results:
        position = order[tuple(reversed(_blobs(found)))]
        return _Results(layers=(LayerResult(layer=position, created_at=found[-1].created or _NEVER),))

    config = CacheConfig(layers=layers, records=_records(steps, result))
    return config, tuple(stacks[stack] for stack in order)


def describe_inline(steps: Iterable[CachedStep], image: Sequence[CachedLayer]) -> tuple[CacheRecord, ...]:
    """The records of `steps` as they stand in the config of an image of the layers `image`, lowest first.

    Results that are not made of layers of the image are left out.
    """
    positions = {layer.descriptor.digest: n for n, layer in reversed(list(enumerate(image)))}

    def result(layers: tuple[CachedLayer, ...]) -> _Results:
        found = tuple(positions.get(blob, NO_PARENT) for blob in _blobs(layers))
        created = layers[-1].created or _NEVER
        if NO_PARENT in found:
            return _Results()
        if found == tuple(range(len(found))):
            return _Results(layers=(LayerResult(layer=found[-1], created_at=created),))
        return _Results(chains=(ChainResult(layers=found, created_at=created),))

    return _records(steps, result)


def read_config(config: CacheConfig, layers: Mapping[Digest, CachedLayer]) -> Known:
    """What `config` says of `layers`, by the digest of their blobs, and of those that it describes itself.

    A result whose layers are not all known is left out. Raises: InvalidDocument for a config that makes no sense.
    """
    known = dict(layers)
    for each in config.layers:
        if (
            each.annotations is not None
            and (described := _described(each.blob, each.annotations)) is not None
        ):
            known[each.blob] = described
    listed = [known.get(each.blob) for each in config.layers]
    return Known(listed, [each.parent for each in config.layers], config.records)


def read_inline(records: Sequence[CacheRecord], image: Sequence[CachedLayer]) -> Known:
    """What `records` in the config of an image of the layers `image`, lowest first, say of it.

    Raises: InvalidDocument.
    """
    return Known(image, range(NO_PARENT, len(image) - 1), records)


def listed_layer(layer: CachedLayer) -> Descriptor:
    """The layer as the manifest of a cache lists it."""
    annotations = {**layer.descriptor.annotations, _UNCOMPRESSED: str(layer.diff_id)}
    if layer.created:
        annotations[_CREATED_AT] = layer.created
    return msgspec.structs.replace(layer.descriptor, annotations=dict(sorted(annotations.items())))


def read_listed(descriptor: Descriptor) -> CachedLayer | None:
    """The layer that the manifest of a cache lists; None when that is not said well enough to use it."""
    said = descriptor.annotations
    # What else a cache says of a layer must not end up in an image.
    bare = Descriptor(media_type=descriptor.media_type, digest=descriptor.digest, size=descriptor.size)
    return _layer(bare, said.get(_UNCOMPRESSED, ""), said.get(_CREATED_AT, ""))


def _described(blob: Digest, said: LayerAnnotations) -> CachedLayer | None:
    if said.size < 0:
        return None
    bare = Descriptor(media_type=said.media_type, digest=blob, size=said.size)
    return _layer(bare, said.diff_id or "", said.created_at)


def _layer(bare: Descriptor, diff_id: str, created: str) -> CachedLayer | None:
    if not is_layer(bare.media_type):
        return None
    try:
        return CachedLayer(descriptor=bare, diff_id=DiffID(Digest.parse(diff_id)), created=created)
    except InvalidDigest:
        return None


def _annotations(layer: CachedLayer) -> LayerAnnotations:
    return LayerAnnotations(
        media_type=layer.descriptor.media_type,
        diff_id=layer.diff_id,
        size=layer.descriptor.size,
        created_at=layer.created,
    )


def _records(
    steps: Iterable[CachedStep], describe: Callable[[tuple[CachedLayer, ...]], _Results]
) -> tuple[CacheRecord, ...]:
    """A record for each key and each definition, by digest."""
    results: dict[Digest, _Results] = {}
    definitions: dict[Digest, Digest] = {}
    for step in steps:
        result = describe(step.layers) if step.layers else _Results()
        for name in (step.key, step.definition):
            if name is not None and results.get(name, _Results()) == _Results():
                results[name] = result
        if step.definition is not None:
            definitions[step.definition] = step.key
    order = {name: position for position, name in enumerate(sorted(results))}
    return tuple(
        CacheRecord(
            layers=results[name].layers,
            chains=results[name].chains,
            digest=name,
            inputs=((Link(link=order[definitions[name]]),),) if name in definitions else (),
        )
        for name in order
    )


def _require_listed(record: CacheRecord, count: int) -> None:
    for position in (
        *(each.layer for each in record.layers),
        *(position for each in record.chains for position in each.layers),
    ):
        if not 0 <= position < count:
            raise InvalidDocument(f"cache record {record.digest} has layer {position} of {count}")


def _below(position: int, parents: Sequence[int]) -> tuple[int, ...]:
    """The stack that ends with the layer at `position`, lowest first."""
    stack = [position]
    while (parent := parents[stack[-1]]) != NO_PARENT:
        stack.append(parent)
    return tuple(reversed(stack))


def _require_stacks(parents: Sequence[int]) -> None:
    """Every layer must end, by its parents, at one that has none; found in one walk over all of them."""
    ends: set[int] = {NO_PARENT}
    for start in range(len(parents)):
        walked: dict[int, None] = {}
        position = start
        while position not in ends:
            if position in walked or not 0 <= position < len(parents):
                raise InvalidDocument(
                    f"layer {start} of the cache stands on none: parents in a circle, or missing"
                )
            walked[position] = None
            position = parents[position]
        ends.update(walked)


def _blobs(layers: Sequence[CachedLayer]) -> tuple[Digest, ...]:
    return tuple(layer.descriptor.digest for layer in layers)
