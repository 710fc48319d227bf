"""Layers as tar streams: nodes in, bytes out, one node at a time.

Content goes from where it is to the sink without a copy on disk; no file is ever held whole. The order of the
nodes is the order of the archive: they come sorted by `sort_key`, since two orders are two diff IDs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from builder.oci.digest import CHUNK
from builder.snapshot.errors import ContentChanged
from builder.snapshot.tarheader import BLOCK, entry_header

if TYPE_CHECKING:
    from collections.abc import Iterable

    from builder.snapshot.entry import Node

TRAILER: Final = bytes(2 * BLOCK)
_PADDING: Final = tuple(bytes(-length % BLOCK) for length in range(BLOCK))


class ByteSink(Protocol):
    """Takes all of the bytes it is given, in order."""

    def write(self, chunk: bytes, /) -> object:
        """Takes `chunk`."""
        ...


def write_tar(nodes: Iterable[Node], sink: ByteSink) -> None:
    """Writes the archive of `nodes`, which come sorted; the root itself is left out.

    Raises: ContentChanged when a file has another size than was listed, so that an archive is never wrong;
    OSError of the content or the sink. What the sink has by then is no archive.
    """
    write = sink.write
    for node in nodes:
        entry = node.entry
        if not entry.path:
            continue
        if entry.kind == "file":
            _write_file(node, sink)
        else:
            write(entry_header(entry))
    write(TRAILER)


def _write_file(node: Node, sink: ByteSink) -> None:
    entry = node.entry
    if node.content is None:
        raise ValueError(f"the file {entry.path!r} has no content to write")
    size = entry.size
    header = entry_header(entry)
    if size < CHUNK:
        # One byte more than was listed tells a file that grew.
        content = node.content.read(size + 1)
        if len(content) != size:
            raise _changed(node)
        sink.write(header + content + _PADDING[size % BLOCK])
        return
    with node.content.open() as stream:
        sink.write(header)
        left = size
        while left:
            chunk = stream.read(min(left, CHUNK))
            if not chunk:
                raise _changed(node)
            sink.write(chunk)
            left -= len(chunk)
        if stream.read(1):
            raise _changed(node)
        sink.write(_PADDING[size % BLOCK])


def _changed(node: Node) -> ContentChanged:
    return ContentChanged(
        f"{node.entry.path!r} does not have the {node.entry.size} bytes that were listed",
        hint="something wrote to it while the build was reading; build again",
    )
