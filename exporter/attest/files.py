"""Attestations beside the files that they are about, in outputs that have no index.

Source: BuildKit's local and tar exporters; names, modes and collisions are theirs.
"""

from __future__ import annotations

import hashlib
from heapq import merge
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from builder.oci.digest import CHUNK
from builder.snapshot.disk import InlineContent
from builder.snapshot.entry import Entry, Node, sort_key
from exporter.attest.statement import Subject, encode_statement
from exporter.errors import ExportError
from exporter.rootfs import RootFiles, directory_name, result_nodes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exporter.attest.statement import Attestation

_MODE: Final = 0o600


class Naming(NamedTuple):
    """Where statements go: below a directory for each platform (`split`), or with the platform in their names.

    `several`: there is more than one platform, or there could be. `prefix` stands before every name.
    """

    split: bool
    several: bool
    prefix: str = ""


def attestation_nodes(
    results: Sequence[tuple[RootFiles, Sequence[Attestation]]], naming: Naming, *, mtime_ns: int
) -> tuple[Node, ...]:
    """The statements as files, sorted. Their subjects are the regular files of the result, which are read.

    `mtime_ns` in nanoseconds since the epoch. Raises: ExportError for two statements of one name, or for one
    that in-toto does not allow; OSError, ContentChanged.
    """
    nodes: dict[str, Node] = {}
    for files, attestations in results:
        subjects = file_subjects(files) if attestations else ()
        for attestation in attestations:
            path = _path(attestation.filename, files, naming)
            if path in nodes:
                raise ExportError(f"duplicate attestation path name {path}")
            content = msgspec.json.format(encode_statement(attestation, subjects), indent=2)
            entry = Entry(path, "file", mode=_MODE, size=len(content), mtime_ns=mtime_ns)
            nodes[path] = Node(entry, InlineContent(content))
    return tuple(nodes[path] for path in sorted(nodes, key=sort_key))


def with_attestations(nodes: Iterable[Node], added: Sequence[Node]) -> Iterator[Node]:
    """`nodes` and `added` in one order. Raises: ExportError when the result has a file of a statement's name."""
    last = ""
    for node in merge(nodes, added, key=lambda each: sort_key(each.entry.path)):
        if node.entry.path == last:
            raise ExportError(
                f"cannot write the attestation {last}: the result has a file of that name",
                hint="choose another name with attestation-prefix",
            )
        last = node.entry.path
        yield node


def file_subjects(files: RootFiles) -> tuple[Subject, ...]:
    """Every regular file of the result, by its path, with the digest of its content."""
    return tuple(
        Subject(node.entry.path, {"sha256": _sha256(node)})
        for node in result_nodes([files], split=False, epoch=None)
        if node.content is not None
    )


def _sha256(node: Node) -> str:
    if node.entry.digest is not None:
        return node.entry.digest.hex
    assert node.content is not None
    digest = hashlib.sha256()
    with node.content.open() as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _path(filename: str, files: RootFiles, naming: Naming) -> str:
    name, directory = naming.prefix + filename, directory_name(files.platform)
    if naming.split:
        return f"{directory}/{name}"
    if not naming.several:
        return name
    stem, dot, extension = name.rpartition(".")
    return f"{stem}.{directory}{dot}{extension}" if dot else f"{name}.{directory}"
