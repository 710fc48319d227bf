"""The files of a layout, be it a directory or an archive, opened so that nothing outside can be reached."""

from __future__ import annotations

import errno
import io
import os
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol, cast

from builder.oci.digest import CHUNK
from builder.store.errors import InvalidLayout
from builder.store.layout.tarindex import Member, find_member, scan_tar
from builder.system.linux import open_regular
from builder.system.rawstreams import RawStream

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"


class Files(Protocol):
    """Regular files by their relative path. Close it."""

    def open(self, path: str) -> BinaryIO:
        """The file, from its start; the caller closes. Raises: OSError, also for what is no regular file."""
        ...

    def size(self, path: str) -> int:
        """Its length in bytes. Raises: OSError."""
        ...

    def close(self) -> None:
        """Gives back what is held open."""
        ...


class DirectoryFiles:
    """Files below a directory; links are followed inside it only."""

    def __init__(self, path: Path) -> None:
        """Raises: OSError."""
        self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def open(self, path: str) -> BinaryIO:
        """The file, unbuffered."""
        return os.fdopen(open_regular(self._root, path), "rb", buffering=0)

    def size(self, path: str) -> int:
        """Its length in bytes."""
        fd = open_regular(self._root, path)
        try:
            return os.fstat(fd).st_size
        finally:
            os.close(fd)

    def close(self) -> None:
        """Closes the directory."""
        os.close(self._root)


class ArchiveFiles:
    """The members of a tar file."""

    def __init__(self, stream: BinaryIO) -> None:
        """Takes `stream` over, a plain tar on disk. Raises: InvalidLayout, OSError."""
        self._stream = stream
        try:
            self._members: Mapping[str, Member] = scan_tar(stream)
        except BaseException:
            stream.close()
            raise

    def open(self, path: str) -> BinaryIO:
        """The member, buffered."""
        member = self._member(path)
        return io.BufferedReader(_MemberStream(self._stream.fileno(), member), CHUNK)

    def size(self, path: str) -> int:
        """Its length in bytes."""
        return self._member(path).size

    def close(self) -> None:
        """Closes the archive."""
        self._stream.close()

    def _member(self, path: str) -> Member:
        member = find_member(self._members, path)
        if member is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return member


class _MemberStream(RawStream):
    """Reads a part of a file without moving the file's own position."""

    def __init__(self, fd: int, member: Member) -> None:
        super().__init__()
        self._fd = fd
        self._position = member.offset
        self._end = member.offset + member.size

    def pull(self, size: int) -> bytes:
        chunk = os.pread(self._fd, min(size, self._end - self._position), self._position)
        self._position += len(chunk)
        return chunk


def open_files(path: Path, *, scratch: Path) -> Files:
    """The files of the directory or archive at `path`.

    A compressed archive is unpacked to a file without a name in the directory `scratch`.
    Raises: InvalidLayout for what is neither; OSError.
    """
    if path.is_dir():
        return DirectoryFiles(path)
    with path.open("rb") as stream:
        return open_archive(stream, scratch=scratch)


def open_archive(stream: BinaryIO, *, scratch: Path) -> Files:
    """The members of the archive in `stream`, which may be a pipe; the stream stays the caller's.

    Raises: InvalidLayout when it is no tar; OSError.
    """
    if not stream.seekable():
        with _spool(stream, scratch) as spooled:
            return open_archive(spooled, scratch=scratch)
    magic = stream.read(4)
    stream.seek(0)
    if magic.startswith(_GZIP):
        return ArchiveFiles(_gunzip(stream, scratch))
    if magic == _ZSTD:
        return ArchiveFiles(_unzstd(stream, scratch))
    return ArchiveFiles(os.fdopen(os.dup(stream.fileno()), "rb"))


def _spool(stream: BinaryIO, scratch: Path) -> BinaryIO:
    import tempfile

    spooled = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115 - the caller's
    try:
        while chunk := stream.read(CHUNK):
            spooled.write(chunk)
        spooled.seek(0)
    except BaseException:
        spooled.close()
        raise
    return spooled


def _gunzip(stream: BinaryIO, scratch: Path) -> BinaryIO:
    import gzip
    import zlib

    try:
        with gzip.GzipFile(fileobj=stream) as plain:
            return _spool(cast("BinaryIO", plain), scratch)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InvalidLayout(f"the archive's compression is damaged: {error}") from error


def _unzstd(stream: BinaryIO, scratch: Path) -> BinaryIO:
    import zstandard

    try:
        with zstandard.ZstdDecompressor().stream_reader(stream, closefd=False) as plain:
            return _spool(plain, scratch)
    except zstandard.ZstdError as error:
        raise InvalidLayout(f"the archive's compression is damaged: {error}") from error
