"""The entry: what a layer says about one path.

Every form of a layer (recipe, tree, blob) is a list of entries, so conversions between the forms are written
once, against this type. Paths are relative to the root of the file system, without a slash at either end; the
root itself is the empty path. Names that are not UTF-8 carry surrogates, as `os.fsdecode` makes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final, Literal, Protocol, TypeAlias

import msgspec

from builder.oci.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable

Kind: TypeAlias = Literal["file", "dir", "symlink", "hardlink", "char", "block", "fifo", "whiteout"]

NO_DEVICE: Final = (0, 0)


# There may be hundreds of thousands. They are in no cycle; unknown to the collector they are an eighth smaller.
class Entry(msgspec.Struct, frozen=True, gc=False):
    """One path of a layer.

    `mode` holds the permission bits with setuid, setgid and sticky (0 to 0o7777). `size` in bytes, of files
    only. `mtime_ns` in nanoseconds since the epoch. `link` is the target of a symlink as it is stored, or
    the path of the first name of a hard link. `device` is (major, minor). `opaque` directories hide all that
    lower layers have below them. A whiteout removes the path from the layers below and has no other
    attributes. `digest` is that of a file's content, where it is known.
    """

    path: str
    kind: Kind
    mode: int = 0
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime_ns: int = 0
    link: str = ""
    device: tuple[int, int] = NO_DEVICE
    xattrs: tuple[tuple[str, bytes], ...] = ()
    opaque: bool = False
    digest: Digest | None = None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> str:
        """The path of the directory that holds this entry; of the root, the root."""
        return self.path.rpartition("/")[0]


class Content(Protocol):
    """The bytes of a regular file, which may stand on disk, in memory or in an archive."""

    @property
    def identity(self) -> tuple[object, ...]:
        """A value that differs whenever the bytes may differ, made without reading them."""
        ...

    def open(self) -> BinaryIO:
        """The bytes from the start, unbuffered; the caller closes.

        Raises: OSError; ContentChanged when the file is not the one that was listed.
        """
        ...

    def read(self, limit: int) -> bytes:
        """The first `limit` bytes: for a small file half the work of opening it first.

        Raises: OSError; ContentChanged when the file is not the one that was listed.
        """
        ...


class Node(msgspec.Struct, frozen=True, gc=False):
    """An entry and, for regular files, where its bytes are, which must not refer to nodes."""

    entry: Entry
    content: Content | None = None


class FileView(Protocol):
    """A file system to read. It never follows links: see `builder.snapshot.resolve` for that."""

    def lstat(self, path: str) -> Node | None:
        """What stands at `path`; None when nothing does. Never a whiteout."""
        ...

    def children(self, path: str) -> Iterable[Node]:
        """What stands directly below the directory `path`, sorted by the bytes of the names."""
        ...


class LayerView(Protocol):
    """What one layer says, without the layers below it: whiteouts and opaque marks are visible."""

    def get(self, path: str) -> Node | None:
        """What this layer says of exactly `path`; None when it says nothing."""
        ...

    def below(self, path: str) -> Iterable[Node]:
        """What this layer says of names directly below `path`, in any order; whiteouts included."""
        ...


def sort_key(path: str) -> bytes:
    """Orders paths as a layer's tar holds them: depth first, names by their bytes, parents first."""
    return path.encode("utf-8", "surrogateescape").replace(b"/", b"\0")
