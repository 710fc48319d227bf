"""`push()`: an image of the store to a registry.

An image that was pulled for some of its platforms only is pushed whole: what is not here is taken from the
repository that it came from, on its way and without being kept.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from builder.api.remainder import origin_of
from builder.api.signing import push_signatures
from builder.api.transfers import shown_on
from builder.oci.digest import Digest
from builder.oci.reference import Reference, parse_reference
from builder.progress.stream import Stream, discard
from builder.registry.nearby import NearbyFirst
from builder.registry.probe import require_features, require_push, takes
from builder.registry.push import Pushed, no_mounts, push_image
from builder.registry.registries import Registries
from builder.registry.sources import lenders, note_source
from builder.registry.uploads import Uploads
from builder.registry.watching import unwatched
from builder.store.errors import ImageNotFound

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable
    from pathlib import Path

    from builder.oci.descriptor import Descriptor
    from builder.progress.events import EventSink
    from builder.registry.probe import Feature
    from builder.registry.push import Mounts
    from builder.registry.watching import Watcher
    from builder.source.origins import Origins
    from builder.store.embedded import EmbeddedStore
    from builder.store.protocol import BlobReader, Store


def push(
    store: Store,
    name: str,
    *,
    uploads: Uploads,
    on_event: EventSink | None = None,
    cancel: threading.Event | None = None,
) -> Pushed:
    """Sends the image that has `name` in `store` to the registry of that name.

    Raises: ImageNotFound, RegistryError, StoreError, InvalidReference, Cancelled.
    """
    reference = parse_reference(name)
    stream = Stream(on_event or discard)
    vertex = Digest.of(f"push {reference}".encode())
    digest = None
    with ExitStack() as stack:
        stack.callback(lambda: stream.finished(digest))
        image = store.images.find(str(reference))
        if image is None:
            raise ImageNotFound(
                f"an image does not exist locally with the tag: {reference.familiar}",
                hint="`dockyard images` lists what there is; `dockyard tag` gives an image another name",
            )
        registries = stack.enter_context(Registries(os.environ, cancelled=cancel))
        with stream.vertex(vertex, f"pushing {reference}"):
            pushed = push_target(
                store,
                registries,
                image.target,
                reference,
                uploads=uploads,
                watch=shown_on(stream, vertex),
            )
        digest = pushed.root.digest
    return pushed


def push_target(
    store: Store,
    registries: Registries,
    target: Descriptor,
    reference: Reference,
    *,
    missing: BlobReader | None = None,
    lend: Mounts = no_mounts,
    uploads: Uploads | None = None,
    watch: Watcher = unwatched,
    insecure: bool = False,
) -> Pushed:
    """Sends the image below `target` under the tag of `reference`, or by digest alone if it has none.

    `missing` has what the store lacks; `lend` knows repositories that have a blob, besides those that the
    store remembers. Signatures over the image go along.
    Raises: RegistryError, BlobNotFound, InvalidDocument, SigningError, Cancelled.
    """
    repository = registries.repository(reference, insecure=insecure)
    with store.lease() as lease:
        content = lease.content
        origin = origin_of(content, target, lambda: registries)
        far = missing or origin
        if origin is not None and origin.repository.domain == repository.domain:
            lend = _also(lend, origin.repository.path)
        pushed = push_image(
            repository,
            content if far is None else NearbyFirst(content, lambda: far),
            target,
            tags=(reference.tag,) if reference.tag else (),
            mounts=lambda blob: (*lend(blob), *lenders(content, blob.digest, repository)),
            uploads=uploads,
            watch=watch,
            cancelled=registries.cancelled,
        )
        note_source(content, (*pushed.sent, *pushed.mounted, *pushed.present), repository)
        push_signatures(repository, content, target, reference)
    return pushed


def uploads_of(root: Path) -> Uploads:
    """The uploads that are remembered in the state root."""
    return Uploads(root / "uploads")


class RegistryPusher:
    """Pushes what a build has put into its store (`exporter.push.Pusher`)."""

    def __init__(
        self, store: EmbeddedStore, registries: Registries, stream: Stream, origins: Origins
    ) -> None:
        """`origins` have what the store lacks."""
        self._store = store
        self._registries = registries
        self._stream = stream
        self._origins = origins

    def require(self, name: Reference, features: Iterable[Feature], *, insecure: bool) -> None:
        """Looks, before any work, whether the push will be let in, and all that it brings.

        Leaves nothing at the registry. Raises: RegistryError, with a way out.
        """
        repository = self._registries.repository(name, insecure=insecure)
        require_push(repository)
        require_features(repository, features)

    def takes_artifacts(self, name: Reference, *, insecure: bool) -> bool:
        """Whether nothing is known against pushing OCI 1.1 artifacts to the repository of `name`.

        Raises: RegistryError.
        """
        return takes(self._registries.repository(name, insecure=insecure), "artifact") is not False

    def push(self, root: Descriptor, name: Reference, *, insecure: bool, vertex: Digest) -> None:
        """Sends the image below `root` to the repository of `name`. Raises: DockyardError."""
        label = f"pushing {name.repository}"
        self._stream.status(vertex, label)
        push_target(
            self._store,
            self._registries,
            root,
            name,
            missing=self._origins,
            lend=lambda blob: self._origins.lenders(blob.digest, name),
            uploads=uploads_of(self._store.root.path),
            watch=shown_on(self._stream, vertex),
            insecure=insecure,
        )
        self._stream.status(vertex, label, done=True)


def _also(lend: Mounts, path: str) -> Mounts:
    """The repositories that `lend` knows, and `path`."""
    return lambda blob: (*lend(blob), path)
