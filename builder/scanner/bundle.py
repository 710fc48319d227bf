"""Bundles: the documents that one scan made, checked once and kept as files.

A scanner is not to be trusted, and what it leaves is looked at with care: nothing but regular files is opened, and
each must be one statement about SPDX. A bundle is a directory: the documents, numbered, and what is known of them.
Documents are mapped, never loaded as a whole: they may be larger than memory should be.
Source: BuildKit's exporter/attestation/unbundle.go for what is refused, and in which words.
"""

from __future__ import annotations

import mmap
import os
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.digest import CHUNK
from builder.scanner.errors import ScanFailed
from builder.scanner.scanner import CORE
from builder.scanner.template import Template, fill, write_template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.scanner.scanner import Scanner
    from builder.scanner.template import Filling, Locate

SPDX: Final = "https://spdx.dev/Document"
"""The predicate type of every document."""

_OUTLINE: Final = "outline"


class Subject(msgspec.Struct, frozen=True):
    """What a statement of a scanner's own is about."""

    name: str = ""
    digest: dict[str, str] = {}


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a document. `filename` is the scanner's; no subjects: those of the output."""

    filename: str
    subjects: tuple[Subject, ...]
    template: Template


class ScannedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document of a bundle, in the file `path`."""

    path: Path
    outline: Outline

    @property
    def filename(self) -> str:
        """As in `sbom.spdx.json`."""
        return self.outline.filename

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """Those that the scanner gave it, if any."""
        return self.outline.subjects

    def render(self, filling: Filling, folder: Path) -> memoryview:
        """The document with `filling`, mapped from a file without a name on the file system of `folder`."""
        with (
            self.path.open("rb") as file,
            _mapped(file.fileno()) as view,
            tempfile.TemporaryFile(dir=folder, buffering=CHUNK) as rendered,
        ):
            rendered.writelines(fill(view, self.outline.template, filling))
            rendered.flush()
            with _mapped(rendered.fileno()) as result:
                return result


class _Statement(msgspec.Struct):
    predicate: msgspec.Raw
    predicate_type: str = msgspec.field(name="predicateType", default="")
    subject: list[Subject] | None = None


def make_bundle(output: Path, bundle: Path, scanner: Scanner, *, locate: Locate) -> None:
    """Makes the new directory `bundle` from what `scanner` wrote to `output`.

    Only the document about the result itself, CORE up to its first dot, says which layer its files are from.
    Raises: ScanFailed for anything but documents, and for none.
    """
    bundle.mkdir()
    outlines = []
    directory = os.open(output, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for number, name in enumerate(sorted(os.listdir(directory))):
            _require_text(name)
            chosen = locate if name.partition(".")[0] == CORE else None
            with _opened(directory, name) as view, (bundle / str(number)).open("wb") as sink:
                statement = _statement(view, name) if scanner.writes_statements else _bare(view, name)
                template = write_template(
                    statement.predicate, sink, locate=chosen, is_ours=not scanner.writes_statements
                )
            subjects = tuple(statement.subject or ())
            outlines.append(Outline(filename=name, subjects=subjects, template=template))
            # What was decoded refers to the mapping, which must not be closed before.
            del statement
    finally:
        os.close(directory)
    if not outlines:
        raise ScanFailed(f"{scanner.name} wrote no SBOM")
    (bundle / _OUTLINE).write_bytes(msgspec.msgpack.encode(outlines))


def open_bundle(bundle: Path) -> tuple[ScannedDocument, ...]:
    """The documents of a bundle, in the order of their names. Raises: OSError."""
    outlines = msgspec.msgpack.decode((bundle / _OUTLINE).read_bytes(), type=list[Outline])
    return tuple(
        ScannedDocument(path=bundle / str(number), outline=outline) for number, outline in enumerate(outlines)
    )


def _require_text(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ScanFailed(f"bundle entry {name!a} has a name that is not UTF-8") from error


@contextmanager
def _opened(directory: int, name: str) -> Iterator[memoryview]:
    try:
        # A fifo would wait for a writer, a link could lead anywhere.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(name, flags, dir_fd=directory)
    except OSError as error:
        raise ScanFailed(f"bundle entry {name} is not a regular file") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ScanFailed(f"bundle entry {name} is not a regular file")
        with _mapped(descriptor) as view:
            yield view
    finally:
        os.close(descriptor)


@contextmanager
def _mapped(descriptor: int) -> Iterator[memoryview]:
    if os.fstat(descriptor).st_size == 0:
        yield memoryview(b"")
        return
    mapping = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    # Closed with its last view: pieces of it may still be on their way.
    yield memoryview(mapping)


def _statement(view: memoryview, name: str) -> _Statement:
    try:
        statement = msgspec.json.decode(view, type=_Statement)
    except msgspec.DecodeError as error:
        if "trailing characters" in str(error):
            raise ScanFailed(f"{name}: in-toto statement is not a single JSON object") from error
        raise ScanFailed(f"{name}: cannot decode in-toto statement: {error}") from error
    if statement.predicate_type != SPDX:
        raise ScanFailed(
            f"bundle entry {statement.predicate_type} does not match required predicate type {SPDX}"
        )
    return statement


def _bare(view: memoryview, name: str) -> _Statement:
    try:
        return _Statement(msgspec.json.decode(view, type=msgspec.Raw), SPDX)
    except msgspec.DecodeError as error:
        raise ScanFailed(f"{name}: cannot decode SPDX document: {error}") from error
