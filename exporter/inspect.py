"""What an image is made of, as a tree for people and as JSON for programs. Pure, but for reading documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from builder.oci.descriptor import Descriptor
from builder.oci.mediatypes import CONFIGS, INDEXES, MANIFESTS, is_layer, layer_compression
from builder.progress.units import format_bytes
from builder.store.errors import BlobNotFound
from builder.store.imagegraph import MAX_DEPTH, children, is_attestation, read_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.store.protocol import DocumentReader

Kind = Literal["index", "manifest", "attestation", "config", "layer", "blob"]


class ImageNode(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A blob of an image and what it points at. `missing`: the store does not have the document."""

    kind: Kind
    descriptor: Descriptor
    missing: bool = False
    children: tuple[ImageNode, ...] = ()


def inspect_image(reader: DocumentReader, root: Descriptor) -> ImageNode:
    """The tree below `root`. Raises: StoreError, InvalidDocument."""
    return _node(reader, root, depth=0)


def format_tree(name: str, node: ImageNode) -> str:
    """The tree as text, `name` first, a line for each blob, with a newline at the end."""
    lines = [name, _line(node), *_branches(node, "")]
    return "".join(f"{line}\n" for line in lines)


def _node(reader: DocumentReader, descriptor: Descriptor, *, depth: int) -> ImageNode:
    kind = _kind(descriptor)
    try:
        document = read_document(reader, descriptor) if depth <= MAX_DEPTH else None
    except BlobNotFound:
        return ImageNode(kind=kind, descriptor=descriptor, missing=True)
    below = () if document is None else children(document)
    nodes = tuple(_node(reader, each, depth=depth + 1) for each in below)
    return ImageNode(kind=kind, descriptor=descriptor, children=nodes)


def _kind(descriptor: Descriptor) -> Kind:
    if descriptor.media_type in INDEXES:
        return "index"
    if is_attestation(descriptor):
        return "attestation"
    if descriptor.media_type in MANIFESTS:
        return "manifest"
    if descriptor.media_type in CONFIGS:
        return "config"
    return "layer" if is_layer(descriptor.media_type) else "blob"


def _branches(node: ImageNode, indent: str) -> Iterator[str]:
    for number, child in enumerate(node.children):
        last = number == len(node.children) - 1
        yield f"{indent}{'└── ' if last else '├── '}{_line(child)}"
        yield from _branches(child, indent + ("    " if last else "│   "))


def _line(node: ImageNode) -> str:
    descriptor = node.descriptor
    note = _note(node)
    missing = "  (not in the store)" if node.missing else ""
    return f"{node.kind}{note}  {descriptor.digest}  {format_bytes(descriptor.size)}{missing}"


def _note(node: ImageNode) -> str:
    descriptor = node.descriptor
    if node.kind == "manifest" and descriptor.platform is not None:
        return f" {descriptor.platform.platform}"
    if node.kind == "layer":
        return f" {layer_compression(descriptor.media_type)}"
    if node.kind == "blob":
        return f" {_printable(descriptor.media_type)}"
    return ""


def _printable(text: str) -> str:
    """Text of a hostile document, without what a terminal would obey."""
    return "".join(char if char.isprintable() else "?" for char in text[:100])
