"""Reading an OCI layout or image archive that somebody else made.

Every byte is hostile until its digest has been checked, and every document is bounded before it is read.
Nothing here writes; `importer` copies into a store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final, Self

import msgspec

from builder.oci.digest import Digest
from builder.oci.manifest import InvalidDocument, decode_index
from builder.oci.mediatypes import OCI_INDEX
from builder.store.errors import BlobNotFound, DigestMismatch, InvalidLayout
from builder.store.layout.dockerarchive import DockerArchive, read_docker_archive, read_small
from builder.store.layout.files import open_files
from builder.store.layout.names import bare_target, entry_name, is_image, matches
from builder.store.streams import read_document

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from builder.oci.descriptor import Descriptor
    from builder.oci.reference import Reference
    from builder.store.layout.files import Files

_MAX_ENTRIES: Final = 1000
_DEFAULT_REF: Final = "latest"


class _Marker(msgspec.Struct, frozen=True):
    version: str = msgspec.field(name="imageLayoutVersion")


class LayoutReader:
    """An open layout (`builder.store.protocol.BlobReader`). Close it, or use it in a `with` block."""

    def __init__(self, files: Files, *, origin: str) -> None:
        """Takes `files` over. `origin` names the layout in messages.

        Raises: InvalidLayout when it is none.
        """
        self._files = files
        self.origin = origin
        try:
            self._archive = _read_index(files)
        except (InvalidLayout, InvalidDocument) as error:
            raise InvalidLayout(f"{origin}: {error.message}", hint=error.hint) from error
        except OSError as error:
            raise InvalidLayout(f"{origin} is no OCI layout: {error.strerror}: {error.filename}") from error

    @property
    def entries(self) -> tuple[Descriptor, ...]:
        """What `index.json` lists, with its annotations."""
        return self._archive.index.manifests

    def names(self) -> tuple[tuple[Reference, Descriptor], ...]:
        """Full names by the annotations of the entries, and what they point at; without unnamed entries.

        Raises: InvalidLayout for a name that is none.
        """
        named = ((entry_name(entry), entry) for entry in self.entries)
        return tuple((name, bare_target(entry)) for name, entry in named if name is not None)

    def find(self, ref: str | None = None) -> Descriptor:
        """The entry that `ref` means: a tag, a full name or a digest; None: the only one, or `latest`.

        Raises: InvalidLayout, with the names that there are.
        """
        images = [entry for entry in self.entries if is_image(entry)] or self.entries
        if ref is None and len({entry.digest for entry in images}) == 1:
            return bare_target(images[0])
        wanted = ref or _DEFAULT_REF
        for entry in self.entries:
            if matches(entry, wanted):
                return bare_target(entry)
        known = ", ".join(sorted({str(name) for name, _ in self.names()})) or "no names"
        raise InvalidLayout(f"{self.origin} has no image {wanted!r}; it has {known}")

    def open(self, digest: Digest) -> BinaryIO:
        """The blob, not verified; the caller closes. Raises: BlobNotFound."""
        if (document := self._archive.documents.get(digest)) is not None:
            import io

            return io.BytesIO(document)
        try:
            return self._files.open(self._path(digest))
        except OSError as error:
            raise self._lost(digest, error) from error

    def read(self, descriptor: Descriptor) -> bytes:
        """All bytes of a document, verified.

        Raises: BlobNotFound; DigestMismatch; InvalidDocument when it is too large.
        """
        with self.open(descriptor.digest) as stream:
            content = read_document(stream, descriptor)
        if Digest.of(content) != descriptor.digest:
            raise DigestMismatch(f"{self.origin}: the bytes of blob {descriptor.digest} have another digest")
        return content

    def require(self, descriptor: Descriptor) -> None:
        """Looks whether the blob is there with its size, without reading it.

        Raises: BlobNotFound, DigestMismatch.
        """
        digest = descriptor.digest
        document = self._archive.documents.get(digest)
        try:
            size = self._files.size(self._path(digest)) if document is None else len(document)
        except OSError as error:
            raise self._lost(digest, error) from error
        if size != descriptor.size:
            raise DigestMismatch(
                f"{self.origin}: blob {digest} has {size} bytes, its descriptor says {descriptor.size}"
            )

    def close(self) -> None:
        """Closes the directory or archive."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _path(self, digest: Digest) -> str:
        return self._archive.paths.get(digest, f"blobs/sha256/{digest.hex}")

    def _lost(self, digest: Digest, error: OSError) -> BlobNotFound:
        if isinstance(error, FileNotFoundError):
            return BlobNotFound(f"{self.origin}: blob {digest} is missing")
        return BlobNotFound(f"{self.origin}: blob {digest} cannot be read: {error.strerror}")


def open_layout(path: Path, *, scratch: Path) -> LayoutReader:
    """The layout in the directory or archive `path`; `scratch`: see `files.open_files`.

    Raises: InvalidLayout.
    """
    try:
        files = open_files(path, scratch=scratch)
    except OSError as error:
        raise InvalidLayout(f"cannot read {path}: {error.strerror}") from error
    except InvalidLayout as error:
        raise InvalidLayout(f"{path} is no image archive: {error.message}") from error
    return read_layout(files, origin=str(path))


def read_layout(files: Files, *, origin: str) -> LayoutReader:
    """The layout in `files`, which are closed if it is none. Raises: InvalidLayout."""
    try:
        return LayoutReader(files, origin=origin)
    except BaseException:
        files.close()
        raise


def _read_index(files: Files) -> DockerArchive:
    try:
        marker = read_small(files, "oci-layout")
    except FileNotFoundError:
        if not _has(files, "manifest.json"):
            raise
        return read_docker_archive(files)
    try:
        version = msgspec.json.decode(marker, type=_Marker).version
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidLayout(f"malformed oci-layout: {error}") from error
    if not version.startswith("1."):
        raise InvalidLayout(f"image layout version {version[:20]!r} is not supported")
    index = decode_index(read_small(files, "index.json"), OCI_INDEX)
    if len(index.manifests) > _MAX_ENTRIES:
        raise InvalidLayout(f"index.json lists more than {_MAX_ENTRIES} images")
    return DockerArchive(index, {}, {})


def _has(files: Files, path: str) -> bool:
    try:
        return files.size(path) >= 0
    except OSError:
        return False
