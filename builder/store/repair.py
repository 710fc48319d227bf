"""Repair of a store: what the check complains of is put right, or taken away, and said.

A database that cannot be read is moved aside, and a new one is filled from the blobs that are on the disk, each
read and hashed first. Names of images stood in the old one alone; an image that nothing else refers to gets one by
its digest, so that no collection takes it before somebody has looked.
"""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest, digest_stream
from builder.oci.manifest import Index, InvalidDocument, Manifest, decode_index, decode_manifest
from builder.oci.mediatypes import INDEXES, MANIFESTS, OCI_INDEX, OCI_MANIFEST
from builder.store.check import check
from builder.store.content import Content
from builder.store.errors import StoreError
from builder.store.imagegraph import children, labels_for, walk_here
from builder.store.images import Images
from builder.store.leases import Leases
from builder.store.tables import encode_labels
from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.store.database import Database
    from builder.store.embedded import EmbeddedStore
    from builder.store.root import Root

_LARGEST_DOCUMENT: Final = 4 << 20
_PARTS: Final = ("", "-wal", "-shm")


class _Shape(msgspec.Struct, rename="camel"):
    media_type: str = ""
    layers: object = None
    manifests: object = None


def set_aside(root: Root) -> str:
    """Moves a damaged database away and returns its new name.

    Raises: StoreError while a build is running, which would write to the file that was moved.
    """
    for name in os.listdir(root.leases):
        with (root.leases / name).open("rb") as lease:
            try:
                fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(
                    "cannot repair the store while builds are running", hint="try again when they are done"
                ) from None
    aside = root.database.with_name(f"{root.database.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}")
    for part in reversed(_PARTS):
        source = root.database.with_name(root.database.name + part)
        if source.exists():
            source.rename(aside.with_name(aside.name + part))
    return aside.name


def refill(store: EmbeddedStore) -> Iterator[str]:
    """Fills a new database from the blobs on the disk; says what it found and what it could not keep."""
    documents: dict[Digest, tuple[Descriptor, Manifest | Index]] = {}
    with store.database.write() as cursor:
        for name in sorted(os.listdir(store.root.blobs)):
            size = _verified_size(store.root, name)
            if size is None:
                store.root.blob(name).unlink()
                yield f"content/blobs/sha256/{name} was damaged and is removed"
                continue
            digest = Digest(f"sha256:{name}")
            found = _document(store.root, digest, size)
            if found is not None:
                documents[digest] = found
            labels = labels_for(found[1]) if found is not None else {}
            now = time.time()
            cursor.execute(
                "INSERT OR IGNORE INTO content VALUES (?, ?, ?, ?, ?, ?)",
                (store.namespace, digest, size, encode_labels(labels), now, now),
            )
    named = {child.digest for _, document in documents.values() for child in children(document)}
    for digest, (descriptor, _) in documents.items():
        if digest not in named:
            name = f"docker.io/library/recovered:{digest.hex[:12]}"
            try:
                store.images.set(name, descriptor)
            except DockyardError as error:
                yield f"{digest} cannot be kept as an image: {error.message}"
            else:
                yield f"an image without a name is now {name}"


def mend(root: Root, database: Database, *, verify: bool) -> Iterator[str]:
    """Puts right what the check finds in a store whose database is sound; says what it did."""
    Leases(root, database).end_dead()
    for name in os.listdir(root.blobs):
        if len(name) != 64 or name.strip("0123456789abcdef"):
            (root.blobs / name).unlink()
            yield f"content/blobs/sha256/{name} is no blob and is removed"
    for digest, size in database.read("SELECT DISTINCT digest, size FROM content ORDER BY digest"):
        path = root.blob(Digest(digest).hex)
        found = path.stat().st_size if path.exists() else None
        if found == size and not (verify and _verified_size(root, path.name) is None):
            continue
        with database.write() as cursor:
            cursor.execute("DELETE FROM content WHERE digest = ?", (digest,))
        path.unlink(missing_ok=True)
        yield f"blob {digest} was {'missing' if found is None else 'damaged'} and is forgotten"
    yield from _mend_images(root, database)
    left = check(root, database)
    if left:
        raise StoreError(f"the store is still not sound: {left[0]}")


def _mend_images(root: Root, database: Database) -> Iterator[str]:
    for (namespace,) in database.read("SELECT DISTINCT namespace FROM images ORDER BY namespace"):
        content, images = Content(root, database, namespace), Images(database, namespace)
        for image in images.all():
            try:
                visited = list(walk_here(content, image.target))
            except DockyardError:
                visited = []
            if not visited or any(content.find(each.descriptor.digest) is None for each in visited):
                images.delete(image.name)
                yield f"image {image.name} is incomplete and has lost its name; pull or build it again"
                continue
            for each in visited:
                digest, blob = each.descriptor.digest, content.find(each.descriptor.digest)
                if blob is None or each.document is None:
                    continue
                wanted = labels_for(each.document)
                if set(wanted.values()) - set(blob.labels.values()):
                    content.update_labels(digest, wanted)
                    yield f"labels of {digest} that keep parts of {image.name} were missing and are set again"


def _verified_size(root: Root, name: str) -> int | None:
    with root.blob(name).open("rb") as stream:
        if digest_stream(stream) != f"sha256:{name}":
            return None
        return os.fstat(stream.fileno()).st_size


def _document(root: Root, digest: Digest, size: int) -> tuple[Descriptor, Manifest | Index] | None:
    if size > _LARGEST_DOCUMENT:
        return None
    content = root.blob(digest.hex).read_bytes()
    if not content.startswith(b"{"):
        return None
    try:
        shape = msgspec.json.decode(content, type=_Shape)
        media_type = shape.media_type
        if media_type in INDEXES or (not media_type and shape.manifests is not None):
            media_type = media_type or OCI_INDEX
            document: Manifest | Index = decode_index(content, media_type)
        elif media_type in MANIFESTS or (not media_type and shape.layers is not None):
            media_type = media_type or OCI_MANIFEST
            document = decode_manifest(content, media_type)
        else:
            return None
    except (msgspec.DecodeError, UnicodeDecodeError, InvalidDocument):
        return None
    return Descriptor(media_type=media_type, digest=digest, size=size), document
