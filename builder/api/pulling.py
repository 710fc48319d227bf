"""`pull()`: an image from a registry into the store.

Of an image for many platforms only those are fetched that were asked for; the index is kept as it is, so its
digest stays what the registry says. The name is set last.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from builder.api.signing import adopt_signatures
from builder.api.transfers import shown_on
from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.manifest import Index
from builder.oci.mediatypes import INDEXES
from builder.oci.reference import Reference, parse_reference
from builder.progress.stream import Stream, discard
from builder.registry.copying import copy_blob
from builder.registry.crew import Crew
from builder.registry.nearby import NearbyFirst
from builder.registry.reader import RegistryReader
from builder.registry.registries import Registries
from builder.registry.sources import note_source
from builder.registry.watching import unwatched
from builder.store.admission import require_multi_platform, require_storable
from builder.store.imagegraph import (
    PARTIAL,
    is_attestation,
    labels_for,
    resolve_platform,
    walk_image,
)
from exporter.attest.signing.places import RegistryPlace

if TYPE_CHECKING:
    import threading
    from collections.abc import Collection, Iterator, Sequence

    from builder.platforms import Platform
    from builder.progress.events import EventSink
    from builder.registry.watching import State, Transfer, Watcher
    from builder.store.imagegraph import Visited
    from builder.store.protocol import ContentWriter, DocumentReader, Store

_SUBJECT = "vnd.docker.reference.digest"


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """An image that is in the store now; `changed` is false if all of it was there under that name before."""

    reference: Reference
    target: Descriptor
    changed: bool


def pull(
    store: Store,
    name: str,
    *,
    platforms: Sequence[Platform] | None,
    signatures: bool = False,
    on_event: EventSink | None = None,
    cancel: threading.Event | None = None,
) -> Pulled:
    """Fetches the image `name` into `store`, for `platforms`; None: for all.

    `signatures`: with those that the registry has over it and its platforms.
    Raises: RegistryError, StoreError, InvalidDocument, InvalidReference, Cancelled; nothing has a new name then.
    """
    reference = parse_reference(name)
    stream = Stream(on_event or discard)
    vertex = Digest.of(f"pull {reference}".encode())
    digest = None
    with ExitStack() as stack:
        stack.callback(lambda: stream.finished(digest))
        registries = stack.enter_context(Registries(os.environ, cancelled=cancel))
        with stream.vertex(vertex, f"pulling {reference}"):
            pulled = pull_image(
                store, registries, reference, platforms=platforms, watch=shown_on(stream, vertex)
            )
            if signatures:
                place = RegistryPlace(RegistryReader(registries.repository(reference)), reference)
                adopt_signatures(store, place, [pulled.target])
        digest = pulled.target.digest
    return pulled


def pull_image(
    store: Store,
    registries: Registries,
    reference: Reference,
    *,
    platforms: Sequence[Platform] | None,
    watch: Watcher = unwatched,
    insecure: bool = False,
) -> Pulled:
    """Like `pull`, into an open store. `insecure`: see `Registries.repository`."""
    reader = RegistryReader(registries.repository(reference, insecure=insecure))
    root = reader.resolve(reference)
    with store.lease() as lease:
        both = NearbyFirst(lease.content, lambda: reader)
        chosen = _chosen(both, root, platforms)
        if not store.capabilities.multi_platform and chosen is not None:
            require_multi_platform(store.capabilities, platforms or ())
            root = next(iter(chosen.values()))
        require_storable(store.capabilities, both, root)
        wanted = list(_wanted(both, root, None if chosen is None else chosen.keys()))
        fetched = _fetch(reader, wanted, lease.content, registries, watch)
        _put_documents(both, wanted, lease.content)
        note_source(lease.content, (each.descriptor for each in wanted), reader.repository)
        lease.content.update_labels(root.digest, {PARTIAL: "" if chosen is None else reader.repository.name})
        before = store.images.find(str(reference))
        store.images.set(str(reference), root)
    changed = fetched or before is None or before.target.digest != root.digest
    return Pulled(reference=reference, target=root, changed=changed)


def _chosen(
    reader: DocumentReader, root: Descriptor, platforms: Sequence[Platform] | None
) -> dict[Digest, Descriptor] | None:
    """The manifests of an index for `platforms`; None where all of the image is wanted."""
    if platforms is None or root.media_type not in INDEXES:
        return None
    found = [resolve_platform(reader, root, platform).descriptor for platform in platforms]
    return {each.digest: each for each in found}


def _wanted(reader: DocumentReader, root: Descriptor, chosen: Collection[Digest] | None) -> Iterator[Visited]:
    """What there is to fetch, a document before what it points at.

    Of an index all indexes, the chosen manifests, and what is attested of those. Raises: InvalidDocument.
    """
    return walk_image(
        reader,
        root,
        wanted=lambda parent, entry: not isinstance(parent.document, Index) or _is_wanted(entry, chosen),
    )


def _is_wanted(entry: Descriptor, chosen: Collection[Digest] | None) -> bool:
    if chosen is None or entry.media_type in INDEXES:
        return True
    if is_attestation(entry):
        return entry.annotations.get(_SUBJECT) in chosen
    return entry.digest in chosen


def _fetch(
    reader: RegistryReader,
    wanted: Sequence[Visited],
    content: ContentWriter,
    registries: Registries,
    watch: Watcher,
) -> bool:
    """Brings the blobs into the store; whether any had to come."""
    crew = Crew(registries.limits.parallel, registries.cancelled)
    states: set[State] = set()

    def watched(transfer: Transfer) -> None:
        crew.check()
        states.add(transfer.state)
        watch(transfer)

    blobs = sorted((each.descriptor for each in wanted if each.document is None), key=lambda each: -each.size)
    crew.run([partial(copy_blob, reader, blob, content, watch=watched) for blob in blobs])
    return "done" in states


def _put_documents(reader: DocumentReader, wanted: Sequence[Visited], content: ContentWriter) -> None:
    with content.batch() as batch:
        for visited in wanted:
            if visited.document is not None:
                batch.put(reader.read(visited.descriptor), labels=labels_for(visited.document))
