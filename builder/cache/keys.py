"""Cache keys: when two steps are the same work.

A step has one *key*, made of its operation and the keys of its inputs, except that a copy counts the content
which it selects instead of the key of where that content comes from: an unchanged file is a hit even if the
stage that made it ran again. To know the content one must look, so a copy also has a *definition key*, made
without looking, under which its key is remembered: a build whose definitions did not change reads nothing.
Touches no disk. Source of the rules: the facts that BuildKit's cache takes as relevant for each operation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from builder.graph.mounts import BindMount, CacheMount
from builder.graph.operations import Copy, Exec, File, Image, Merge
from builder.graph.vertex import cacheable
from builder.oci.digest import Digest, encode_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.graph.mounts import Mount

RULES: Final = "dockyard.v1"
"""Names the way in which keys are made: a change of it makes every key another one."""

EMPTY: Final = Digest.of(b"dockyard.empty.v1")
"""Key of the empty file system."""


def image_key(operation: Image) -> Digest:
    """An image is its layers: the same layers under another name, or compressed otherwise, are a hit."""
    return _key("image", list(operation.diff_ids)) if operation.diff_ids else EMPTY


def exec_key(operation: Exec, base: Digest, content: Digest | None = None) -> Digest:
    """A command is its arguments, environment and settings, and the file system that it sees.

    `content`: digest of all that its mounts show; None when it mounts nothing from an input.
    """
    plain = msgspec.structs.replace(operation, mounts=tuple(map(_without_source, operation.mounts)))
    parts = (cacheable(plain), base)
    return _key("exec", *parts) if content is None else _key("exec", *parts, content)


def definition_key(operation: File | Exec, inputs: Sequence[Digest]) -> Digest:
    """Names the key of a step before any content that it reads has been looked at."""
    if isinstance(operation, File):
        return file_definition_key(operation, inputs)
    return exec_definition_key(operation, inputs)


def exec_definition_key(operation: Exec, inputs: Sequence[Digest]) -> Digest:
    """Names the key of a command before anything that it mounts has been looked at."""
    return _key("exec-definition", cacheable(operation), list(inputs))


def _without_source(mount: Mount) -> Mount:
    """Where content comes from does not count, nor which cache is used and how it is shared."""
    if isinstance(mount, BindMount):
        return msgspec.structs.replace(mount, input=None, source="/")
    if isinstance(mount, CacheMount):
        source = "/" if mount.input is not None else mount.source
        return msgspec.structs.replace(mount, id="", sharing="shared", input=None, source=source)
    return mount


def merge_key(operation: Merge, inputs: Sequence[Digest]) -> Digest:
    """A merge is its inputs, in order."""
    return _key("merge", operation, list(inputs))


def file_definition_key(operation: File, inputs: Sequence[Digest]) -> Digest:
    """Names the key of a file operation before anything that it copies has been looked at."""
    return _key("file-definition", operation, list(inputs))


def file_key(operation: File, base: Digest, content: Digest | None) -> Digest:
    """A file operation is what it does, on what, with which content.

    `content`: digest of all that its copies select, names included; None when it copies nothing.
    """
    return _key("file", _without_sources(operation), base, content)


def _without_sources(operation: File) -> File:
    actions = tuple(
        msgspec.structs.replace(action, sources=(), input=None) if isinstance(action, Copy) else action
        for action in operation.actions
    )
    return msgspec.structs.replace(operation, actions=actions)


def _key(kind: str, *parts: object) -> Digest:
    return Digest.of(encode_json([RULES, kind, *parts]))
