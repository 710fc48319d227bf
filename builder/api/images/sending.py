"""An image into a Docker Engine: as the archive that its store wants, or its names alone.

An engine cannot be asked for single blobs, but it says which images it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.oci.mediatypes import INDEXES
from builder.store.admission import require_storable
from builder.store.engine.images import EngineImages
from builder.store.imagegraph import platform_manifests, read_manifest
from builder.store.layout.archive import write_archive
from builder.store.layout.importer import no_progress
from exporter.docker import write_docker_archive
from exporter.oci import layout_entries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.oci.descriptor import Descriptor
    from builder.oci.reference import Reference
    from builder.store.engine.engine import Engine
    from builder.store.layout.importer import Progress
    from builder.store.protocol import BlobReader, DocumentReader


def send_image(
    engine: Engine,
    reader: BlobReader,
    root: Descriptor,
    names: Sequence[Reference],
    *,
    created: str | None = None,
    progress: Progress = no_progress,
) -> None:
    """Gives the engine the image below `root` under `names`, and nothing but the names if it has it.

    A classic store gets the only platform of an index. `created` in RFC 3339 is noted with the names; `progress`
    hears of what is sent. Raises: DriverError for what the engine cannot hold; EngineError, StoreError.
    """
    require_storable(engine.capabilities, reader, root)
    if not engine.has_containerd_store and root.media_type in INDEXES:
        root = next((manifest for manifest, _ in platform_manifests(reader, root)), root)
    if name_there(engine, reader, root, names):
        return
    entries = layout_entries(root, names, created=created)
    write = write_archive if engine.has_containerd_store else write_docker_archive
    engine.load(lambda fd: write(reader, entries, fd, progress=progress))


def name_there(engine: Engine, reader: DocumentReader, root: Descriptor, names: Sequence[Reference]) -> bool:
    """Whether the engine has the image below `root`, which then gets `names`. Raises: EngineError, StoreError."""
    if root.media_type in INDEXES:
        return EngineImages(engine).has_whole(root.digest) and engine.tag(root.digest, names)
    if engine.has_containerd_store:
        return engine.tag(root.digest, names)
    return engine.tag(read_manifest(reader, root).config.digest, names)
