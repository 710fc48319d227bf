"""The message classes of containerd's API, made from `api/*.proto` when a daemon is first spoken to.

They live in a pool of their own: whoever uses dockyard as a library may have containerd's full API loaded,
and one pool holds one definition of a name.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from google.protobuf import empty_pb2, field_mask_pb2, timestamp_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from builder.store.containerd.protofile import read_proto

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from builder.store.containerd.methods import Method

_FILES: Final = ("types", "content", "images", "leases", "snapshots", "diff", "namespaces", "version")
"""In an order in which nothing is used before it is there."""


class Messages(NamedTuple):
    """The classes of a method's request and answer."""

    request: type[Message]
    answer: type[Message]


def messages_of(method: Method[object]) -> Messages:
    """The classes for `method`."""
    found = _pool().FindMethodByName(f"{method.service}.{method.name}")
    return Messages(GetMessageClass(found.input_type), GetMessageClass(found.output_type))


@cache
def _pool() -> DescriptorPool:
    pool = DescriptorPool()
    for known in (empty_pb2, field_mask_pb2, timestamp_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    folder = Path(__file__).with_name("api")
    for name in _FILES:
        file = f"{name}.proto"
        descriptor = read_proto(file, (folder / file).read_text(encoding="utf-8"))
        pool.AddSerializedFile(descriptor.SerializeToString())
    return pool
