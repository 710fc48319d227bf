"""Whether a store is sound: what people run after a crash, and tests after each kill.

A sound store has every blob that its rows and images promise, with the bytes that they promise, labels that
keep every image complete through a collection, and nothing left of dead processes.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from builder.oci.digest import Digest, digest_stream
from builder.store.content import Content
from builder.store.imagegraph import labels_for, walk_here
from builder.store.images import Images
from builder.store.ingest import lease_of
from builder.store.leases import Leases
from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from builder.store.database import Database
    from builder.store.protocol import Image
    from builder.store.root import Root

_HEX: Final = re.compile(r"[a-f0-9]{64}", re.ASCII)


def check(root: Root, database: Database, *, verify: bool = False) -> list[str]:
    """What is wrong with the store, one sentence each; nothing when it is sound.

    With `verify` every blob is read and hashed, else only sizes are compared.
    """
    damaged = database.problems()
    if damaged:
        return damaged
    return [
        *_blob_problems(root, database, verify=verify),
        *_image_problems(root, database),
        *_leftovers(root, database),
    ]


def _blob_problems(root: Root, database: Database, *, verify: bool) -> Iterator[str]:
    for digest, size in database.read("SELECT DISTINCT digest, size FROM content ORDER BY digest"):
        problem = _blob_problem(root.blob(Digest(digest).hex), Digest(digest), size, verify=verify)
        # Asked again: it may have been collected, and rightly so, since the list was made.
        if problem and database.read("SELECT 1 FROM content WHERE digest = ?", (digest,)):
            yield problem


def _blob_problem(path: Path, digest: Digest, size: int, *, verify: bool) -> str | None:
    try:
        with path.open("rb") as stream:
            found = os.fstat(stream.fileno()).st_size
            if found != size:
                return f"blob {digest} has {found} bytes, not {size}"
            if verify and digest_stream(stream) != digest:
                return f"blob {digest} has other bytes than its digest says"
    except OSError as error:
        return f"blob {digest} cannot be read: {error.strerror}"
    return None


def _image_problems(root: Root, database: Database) -> Iterator[str]:
    for (namespace,) in database.read("SELECT DISTINCT namespace FROM images ORDER BY namespace"):
        content = Content(root, database, namespace)
        for image in Images(database, namespace).all():
            try:
                yield from _graph_problems(content, image)
            except DockyardError as error:
                yield f"image {image.name}: {error.message}"


def _graph_problems(content: Content, image: Image) -> Iterator[str]:
    for visited in walk_here(content, image.target):
        digest = visited.descriptor.digest
        blob = content.find(digest)
        if blob is None:
            yield f"image {image.name}: blob {digest} is not in the store"
        elif visited.document is not None:
            unkept = set(labels_for(visited.document).values()) - set(blob.labels.values())
            if unkept:
                yield f"image {image.name}: {digest} has no label that keeps {', '.join(sorted(unkept))}"


def _leftovers(root: Root, database: Database) -> Iterator[str]:
    for name in sorted(os.listdir(root.blobs)):
        if not _HEX.fullmatch(name):
            yield f"content/blobs/sha256/{name} is no blob"
    leases = Leases(root, database)
    for name in sorted(os.listdir(root.ingests)):
        if not leases.alive(lease_of(name)):
            yield f"content/ingest/{name} was left by a process that is dead"
