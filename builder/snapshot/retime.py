"""Layers without a trace of when they were made: every time later than an epoch becomes the epoch.

Two builds of one source then have the same bytes, though directories that steps made have the time of the build.
The archive is read and written again entry by entry, so what comes out is in the form in which all layers are
written here, whoever made the one that went in.
Source: SOURCE_DATE_EPOCH of reproducible-builds.org, "clamping"; BuildKit's `rewrite-timestamp`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.digest import CHUNK
from builder.snapshot.streams import Hashed, LayerReader
from builder.snapshot.tarheader import BLOCK, OPAQUE_NAME, entry_header, whiteout_header
from builder.snapshot.tarreader import read_layer
from builder.snapshot.tarwriter import TRAILER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.snapshot.entry import Entry
    from builder.snapshot.tarreader import ByteStream

_SECOND: Final = 1_000_000_000


def retimed(layer: ByteStream, *, epoch: int) -> LayerReader:
    """The archive `layer` with no time after `epoch` (seconds).

    Raises, while it is read: InvalidLayer for a damaged archive, SnapshotError for a name that no layer can hold.
    """
    return LayerReader(Hashed(_archive(layer, epoch * _SECOND)))


def _archive(layer: ByteStream, latest_ns: int) -> Iterator[bytes]:
    for entry, payload in read_layer(layer):
        yield _header(entry, latest_ns)
        while chunk := payload.read(CHUNK):
            yield chunk
        if padding := -entry.size % BLOCK:
            yield bytes(padding)
    yield TRAILER


def _header(entry: Entry, latest_ns: int) -> bytes:
    if entry.kind == "whiteout" and entry.opaque:
        return whiteout_header(entry.path, OPAQUE_NAME)
    return entry_header(msgspec.structs.replace(entry, mtime_ns=min(entry.mtime_ns, latest_ns)))
