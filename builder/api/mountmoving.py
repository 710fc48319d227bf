"""Cache mounts of one state root for another: out as an archive, in under the same names."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, NamedTuple

from builder.api.caching import open_cache
from builder.api.workspace import SCHEMAS, open_workspace
from builder.cache.filters import any_of
from builder.cache.mountarchive import archive_nodes, unpack_mounts
from builder.snapshot.archives import MAGIC_SIZE, open_stream
from builder.snapshot.compression import LayerWriter
from builder.snapshot.tarwriter import write_tar
from builder.store.selection import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import BufferedReader

    from builder.cache.mounts import Put
    from builder.cache.mounttable import MountRow
    from builder.oci.mediatypes import Compression
    from builder.snapshot.compression import BlobSink
    from builder.snapshot.limits import UnpackLimits


class Exported(NamedTuple):
    """The mounts that are in the archive, and those that somebody used."""

    mounts: tuple[MountRow, ...]
    in_use: tuple[MountRow, ...]


def export_mounts(
    root: Path,
    sink: BlobSink,
    compression: Compression,
    *,
    filters: Sequence[str] = (),
    unused_seconds: float = 0,
) -> Exported:
    """Writes the mounts that one of `filters` matches and nobody used for so long to `sink`.

    Builds that want one of them wait until then. Raises: MountArchiveError, StoreError, SnapshotError, OSError;
    UsageError for a filter that cannot be read.
    """
    matches = any_of(filters)
    with open_cache(root) as cache:
        old = time.time() - unused_seconds
        wanted = [row for row, entry in cache.inventory.mounts() if row.used_at <= old and matches(entry)]
        with cache.mounts.hold(row.name for row in wanted) as free, LayerWriter(sink, compression) as writer:
            held = [row for row in wanted if row.name in free]
            write_tar(archive_nodes([(row, free[row.name]) for row in held]), writer)
            writer.finish()
    return Exported(tuple(held), tuple(row for row in wanted if row not in held))


def import_mounts(
    root: Path, archive: BufferedReader, *, force: bool, limits: UnpackLimits
) -> tuple[tuple[MountRow, Put], ...]:
    """Takes the mounts of `archive`, which is read once, and says what became of each.

    None gets its name before all have been unpacked; with `force` also those that are newer here are replaced.
    Raises: MountArchiveError, ArchiveTooLarge, SnapshotError, StoreError, OSError.
    """
    with (
        open_store(root, schemas=SCHEMAS) as store,
        open_workspace(store, threading.Event()) as workspace,
    ):
        # What is left of it goes with the workspace, or when the next one opens.
        scratch = Path(mkdtemp(dir=workspace.paths.work))
        reader = open_stream(archive.peek(MAGIC_SIZE)[:MAGIC_SIZE], archive)
        unpacked = unpack_mounts(reader, scratch, limits)
        now = time.time()
        rows = [(mount.row(now), path) for mount, path in unpacked]
        return tuple((row, workspace.mounts.put(row, path, force=force)) for row, path in rows)
