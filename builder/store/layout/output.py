"""Files that appear under their name only when they are complete.

Where the file system can, the file has no name at all until then, so that even a killed process leaves
nothing in other people's directories.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, Final

from builder.oci.digest import CHUNK
from builder.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MODE: Final = 0o644
_NO_UNNAMED_FILES: Final = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL})
_NO_SENDFILE: Final = frozenset({errno.EINVAL, errno.ENOSYS, None})


@contextmanager
def output_file(path: Path) -> Iterator[int]:
    """A descriptor to write to; what was written gets the name `path` when the block ends without error.

    A pipe or device at `path` is written to as it is. Raises: StoreError when it cannot be written.
    """
    try:
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            with path.open("wb", buffering=0) as stream:
                yield stream.fileno()
        else:
            with _unnamed_file(path) as fd:
                yield fd
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error


def replace_file(path: Path, content: bytes) -> None:
    """Makes `content` the file `path`. Raises: StoreError."""
    with output_file(path) as fd:
        write_all(fd, content)


def write_all(fd: int, content: bytes) -> None:
    """Writes all of `content`, however little the kernel takes at a time. Raises: OSError."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]


def copy_all(source: BinaryIO, fd: int, size: int) -> None:
    """Copies `size` bytes of an unbuffered file, inside the kernel where it can. Raises: OSError.

    A source that ends early is an error, because a header has already promised its bytes.
    """
    left = size
    try:
        while left and (sent := os.sendfile(fd, source.fileno(), None, min(left, 1 << 30))):
            left -= sent
    except OSError as error:
        # For example a standard output that was opened for appending.
        if error.errno not in _NO_SENDFILE:
            raise
        while left and (chunk := source.read(min(left, CHUNK))):
            write_all(fd, chunk)
            left -= len(chunk)
    if left:
        raise OSError(errno.EIO, "a blob ended before its size")


@contextmanager
def _unnamed_file(path: Path) -> Iterator[int]:
    temporary = path.with_name(f".{path.name[:100]}.{os.urandom(6).hex()}.tmp")
    named = False
    try:
        fd = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, _MODE)
    except OSError as error:
        if error.errno not in _NO_UNNAMED_FILES:
            raise
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        named = True
    try:
        yield fd
        if not named:
            # A link cannot replace a file, a rename can; between the two nothing can fail. The directory
            # descriptor is not used, but without one Python would link the symlink in /proc itself.
            os.link(f"/proc/self/fd/{fd}", temporary, src_dir_fd=fd, follow_symlinks=True)
        temporary.replace(path)
    finally:
        os.close(fd)
        with suppress(FileNotFoundError):
            temporary.unlink()
