"""Sending an image: its blobs, then its manifests, then the index, and the names last.

A name thus never points at something incomplete, and what an interrupted push has finished stays: the next
one asks for each blob first. Every name gets the root; whatever stands below it is known by digest alone.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.descriptor import Descriptor
from builder.oci.manifest import Index
from builder.registry.crew import Crew
from builder.registry.errors import Denied, NotFound, Unauthorized, WrongContent
from builder.registry.upload import push_blob
from builder.registry.uploads import Uploads
from builder.registry.watching import Transfer, unwatched
from builder.store.imagegraph import walk_image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from builder.registry.repository import Repository
    from builder.registry.watching import Watcher
    from builder.store.imagegraph import Visited
    from builder.store.protocol import BlobReader

    Mounts = Callable[[Descriptor], Sequence[str]]
    """Repositories of the target's registry that may have a blob, best first."""

_CREATED: Final = frozenset({200, 201, 202})
_FOREIGN: Final = (
    "application/vnd.oci.image.layer.nondistributable.",
    "application/vnd.docker.image.rootfs.foreign.",
)


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    """What a push did: the blobs that were sent, mounted from other repositories, and there already."""

    root: Descriptor
    sent: tuple[Descriptor, ...]
    mounted: tuple[Descriptor, ...]
    present: tuple[Descriptor, ...]


def no_mounts(_blob: Descriptor) -> Sequence[str]:
    """Nothing is known of other repositories."""
    return ()


def push_image(
    repository: Repository,
    source: BlobReader,
    root: Descriptor,
    *,
    tags: Sequence[str] = (),
    mounts: Mounts = no_mounts,
    uploads: Uploads | None = None,
    watch: Watcher = unwatched,
    cancelled: threading.Event | None = None,
) -> Pushed:
    """Makes the image below `root` one of the repository's, under `tags`, or without any by digest alone.

    `uploads` remember what is under way, for the case that this process is killed.
    Raises: RegistryError; BlobNotFound for what `source` lacks; InvalidDocument; Cancelled.
    """
    uploads = uploads or Uploads()
    visited = list(walk_image(source, root))
    blobs = [each.descriptor for each in visited if each.document is None]
    ledger = _Ledger(watch)
    crew = Crew(repository.patience.limits.parallel, cancelled or threading.Event())

    def transfer(blob: Descriptor) -> None:
        def watched(state: Transfer) -> None:
            crew.check()
            ledger.note(state)

        push_blob(repository, blob, source, mounts=mounts(blob), uploads=uploads, watch=watched)

    wanted = [blob for blob in blobs if not blob.media_type.startswith(_FOREIGN)]
    # The largest first, so that no long one is left alone at the end.
    wanted.sort(key=lambda blob: -blob.size)
    crew.run([partial(transfer, blob) for blob in wanted])
    _push_documents(repository, source, visited, crew)
    _push_root(repository, source, root, tags)
    return ledger.result(root)


def push_manifest(repository: Repository, content: bytes, descriptor: Descriptor, *, name: str) -> None:
    """Puts a manifest or index under a tag or its digest, unless it is there. Raises: RegistryError."""
    path = f"manifests/{name}"
    if _found(repository, path, descriptor) == descriptor.digest:
        return
    headers = {"Content-Type": descriptor.media_type}
    with repository.push("PUT", path, headers=headers, body=content, expect=_CREATED) as answer:
        claimed = answer.header("Docker-Content-Digest")
    if claimed and claimed != descriptor.digest:
        raise WrongContent(f"{repository.name}: got digest {claimed[:100]!r}, expected {descriptor.digest}")


def _push_documents(
    repository: Repository, source: BlobReader, visited: Sequence[Visited], crew: Crew
) -> None:
    """All documents but the root, by digest: what an index lists has to be there before the index."""
    below = [each for each in visited[1:] if each.document is not None]
    manifests = [each.descriptor for each in below if not isinstance(each.document, Index)]
    indexes = [each.descriptor for each in below if isinstance(each.document, Index)]

    def put(descriptor: Descriptor) -> None:
        push_manifest(repository, source.read(descriptor), descriptor, name=descriptor.digest)

    crew.run([partial(put, each) for each in manifests])
    for index in reversed(indexes):
        put(index)


def _push_root(repository: Repository, source: BlobReader, root: Descriptor, tags: Sequence[str]) -> None:
    for name in tags or (root.digest,):
        push_manifest(repository, source.read(root), root, name=name)


def _found(repository: Repository, path: str, descriptor: Descriptor) -> str:
    """The digest of what stands there now; empty when nothing does, or nobody says."""
    try:
        headers = {"Accept": f"{descriptor.media_type}, */*"}
        with repository.push("HEAD", path, headers=headers) as answer:
            return answer.header("Docker-Content-Digest")
    except (NotFound, Denied, Unauthorized):
        return ""


class _Ledger:
    """Counts what happens to each blob, and passes it on."""

    def __init__(self, watch: Watcher) -> None:
        self._watch = watch
        self._ended: dict[str, list[Descriptor]] = {"done": [], "mounted": [], "present": []}

    def note(self, transfer: Transfer) -> None:
        if transfer.state != "moving":
            self._ended[transfer.state].append(transfer.blob)
        self._watch(transfer)

    def result(self, root: Descriptor) -> Pushed:
        return Pushed(
            root=root,
            sent=tuple(self._ended["done"]),
            mounted=tuple(self._ended["mounted"]),
            present=tuple(self._ended["present"]),
        )
