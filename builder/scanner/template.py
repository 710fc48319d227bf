"""SPDX documents with holes: what a scan found, written once; what only an export knows, filled in each time.

Which blob a file came from depends on how an output compresses layers, and the time of a document on the epoch
of a build. Neither is worth taking a document of many megabytes apart again, so the places are noted when
it is first read, and filling it in is a copy. Everything else of the document stays, byte for byte.
Source: SPDX 2.3, JSON form; BuildKit's exporter for the layer comments and the added creator.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO, Final, Literal, TypeAlias
from uuid import UUID

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from msgspec import Raw

    Locate: TypeAlias = Callable[[str], int | None]
    """Position of the uppermost layer that holds a path; None when no layer does."""

Kind: TypeAlias = Literal["created", "identity", "creators"]

_RANDOM: Final = re.compile(rb'-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"$')
_UUID_LENGTH: Final = 36


class Hole(msgspec.Struct, frozen=True, array_like=True):
    """A place of a document: `length` bytes from `offset` may be replaced."""

    offset: int
    length: int
    kind: Kind


class Template(msgspec.Struct, frozen=True):
    """What was noted of a document. `sha256`, in hexadecimal, is that of everything outside of holes.

    Comments, of which there are many, are two columns: where each goes, and the position of its layer.
    """

    sha256: str
    holes: list[Hole]
    comments: list[int]
    layers: list[int]


class Filling(msgspec.Struct, frozen=True, kw_only=True):
    """What goes into the holes; None: what stood there stays.

    `layers` are the digests of blobs, lowest first; `creator` as in `Tool: dockyard-1.0`; `created` in RFC 3339.
    """

    layers: tuple[str, ...] | None = None
    creator: str | None = None
    created: str | None = None


class _Writer:
    """Writes a document, hashes what is not in holes, and notes where these are."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._offset = 0
        self._hash = sha256()
        self._holes: list[Hole] = []
        self._comments: list[int] = []
        self._layers: list[int] = []

    def write(self, chunk: bytes | Raw) -> None:
        self._hash.update(chunk)
        self._put(chunk)

    def hole(self, kind: Kind, content: bytes = b"") -> None:
        self._holes.append(Hole(self._offset, len(content), kind))
        self._put(content)

    def comment(self, layer: int) -> None:
        self._comments.append(self._offset)
        self._layers.append(layer)

    def finish(self) -> Template:
        return Template(self._hash.hexdigest(), self._holes, self._comments, self._layers)

    def _put(self, chunk: bytes | Raw) -> None:
        view = memoryview(chunk)
        self._offset += view.nbytes
        self._sink.write(view)


class _File(msgspec.Struct):
    name: str = msgspec.field(name="fileName")
    comment: str = ""


class _Unreadable(Exception):
    """Something is not as SPDX has it."""


def write_template(document: Raw, sink: BinaryIO, *, locate: Locate | None, is_ours: bool) -> Template:
    """Writes the SPDX `document` to the new file `sink` and notes the places to fill in.

    With `locate` these are comments of files and the list of creators; if the document `is_ours`, its time and
    the random part of its namespace, too. What cannot be read as SPDX is written as it is.
    """
    writer = _Writer(sink)
    try:
        _write_members(writer, document, locate=locate, is_ours=is_ours)
    except (msgspec.DecodeError, _Unreadable):
        sink.seek(0)
        sink.truncate()
        writer = _Writer(sink)
        writer.write(document)
    return writer.finish()


def _write_members(writer: _Writer, document: Raw, *, locate: Locate | None, is_ours: bool) -> None:
    members = msgspec.json.decode(document, type=dict[str, msgspec.Raw])
    if "creationInfo" not in members:
        raise _Unreadable
    for number, (name, value) in enumerate(members.items()):
        writer.write((b"," if number else b"{") + msgspec.json.encode(name) + b":")
        if name == "creationInfo":
            _write_creation(writer, value, adds=locate is not None, is_ours=is_ours)
        elif name == "files" and locate is not None:
            _write_files(writer, value, locate)
        elif name == "documentNamespace" and is_ours and _RANDOM.search(bytes(value)):
            _write_namespace(writer, bytes(value))
        else:
            writer.write(value)
    writer.write(b"}")


def _write_creation(writer: _Writer, creation: Raw, *, adds: bool, is_ours: bool) -> None:
    members = msgspec.json.decode(creation, type=dict[str, msgspec.Raw])
    writer.write(b"{")
    for number, (name, value) in enumerate(members.items()):
        writer.write((b"," if number else b"") + msgspec.json.encode(name) + b":")
        if name == "creators" and adds:
            msgspec.json.decode(value, type=list[str])
            writer.write(bytes(value).rstrip()[:-1].rstrip())
            writer.hole("creators")
            writer.write(b"]")
        elif name == "created" and is_ours:
            writer.hole("created", bytes(value))
        else:
            writer.write(value)
    writer.write(b"}")


def _write_files(writer: _Writer, files: Raw, locate: Locate) -> None:
    writer.write(b"[")
    # Views, each of a few bytes; hundreds of thousands of decoded files would take more room than their text.
    for number, value in enumerate(msgspec.json.decode(files, type=list[msgspec.Raw])):
        file = msgspec.json.decode(value, type=_File)
        if number:
            writer.write(b",")
        layer = None if file.comment else locate(file.name.removeprefix("./").lstrip("/"))
        if layer is None:
            writer.write(value)
        else:
            writer.write(bytes(value).rstrip()[:-1])
            writer.comment(layer)
            writer.write(b"}")
    writer.write(b"]")


def _write_namespace(writer: _Writer, value: bytes) -> None:
    start = len(value) - 1 - _UUID_LENGTH
    writer.write(value[:start])
    writer.hole("identity", value[start:-1])
    writer.write(b'"')


def fill(document: bytes | memoryview, template: Template, filling: Filling) -> Iterator[bytes | memoryview]:
    """The pieces of `document` with its holes filled, in order."""
    view = memoryview(document)
    edits = [(each.offset, each.length, _content(each, view, template, filling)) for each in template.holes]
    if filling.layers is not None:
        comments = [b',"comment":"layerID: %s"' % digest.encode() for digest in filling.layers]
        places = zip(template.comments, template.layers, strict=True)
        edits += [(offset, 0, comments[layer]) for offset, layer in places]
        edits.sort()
    position = 0
    for offset, length, content in edits:
        yield view[position:offset]
        yield content
        position = offset + length
    yield view[position:]


def _content(hole: Hole, view: memoryview, template: Template, filling: Filling) -> bytes:
    match hole.kind:
        case "creators" if filling.creator is not None:
            is_first = bytes(view[hole.offset - 1 : hole.offset]) == b"["
            return (b"" if is_first else b",") + msgspec.json.encode(filling.creator)
        case "created" if filling.created is not None:
            return msgspec.json.encode(filling.created)
        case "identity":
            return _identity(view, template, filling)
        case _:
            return bytes(view[hole.offset : hole.offset + hole.length])


def _identity(view: memoryview, template: Template, filling: Filling) -> bytes:
    """Equal documents have equal namespaces, and different ones different: what SPDX asks of them."""
    created = filling.created or next(
        (
            bytes(view[each.offset : each.offset + each.length]).decode()
            for each in template.holes
            if each.kind == "created"
        ),
        "",
    )
    parts = (template.sha256, created, filling.creator, filling.layers)
    return str(UUID(bytes=sha256(msgspec.json.encode(parts)).digest()[:16], version=5)).encode()
