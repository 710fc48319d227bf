"""The caches that a build takes from, opened as the records that its solver asks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec.structs import replace

from builder.cache.remote.places import GithubCache, LocalCache, RegistryCache, S3Cache
from builder.system.errors import Cancelled, DockyardError
from builder.system.values import Value

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import ExitStack

    from builder.api.workspace import Workspace
    from builder.cache.remote.places import ImportPlace
    from builder.cache.remote.sources import CacheSource
    from builder.oci.descriptor import Descriptor
    from builder.progress.stream import Stream
    from builder.registry.registries import Registries
    from builder.source.origins import Origins


class CacheLost(DockyardError):
    """A build failed because caches do not have what they said they have: it can be made without them."""

    def __init__(self, places: Sequence[ImportPlace], reason: DockyardError) -> None:
        """`reason` is what the build failed with."""
        super().__init__("a cache did not deliver what it promised")
        self.places = tuple(places)
        self.reason = reason


class Imported(Value, frozen=True):
    """A workspace with what caches elsewhere know, and whether one of them has broken a promise."""

    workspace: Workspace
    has_lost: Callable[[], bool] = lambda: False


@contextmanager
def imported(
    workspace: Workspace,
    places: Sequence[ImportPlace],
    stream: Stream,
    stack: ExitStack,
    *,
    registries: Callable[[], Registries],
    origins: Origins,
    cancelled: threading.Event,
) -> Iterator[Imported]:
    """`workspace` with records that look in the caches at `places`, too, for the length of the block.

    `stack` closes what is opened, `origins` learn where layers are. Nothing is read before a step is looked up.
    Raises: CacheLost, from what the block has raised.
    """
    if not places:
        yield Imported(workspace)
        return
    # Loaded here because most builds import nothing.
    from builder.cache.remote.imports import ImportedCaches, ImportingRecords
    from builder.source.origins import Origin

    def note(blobs: Sequence[Descriptor], source: CacheSource) -> None:
        origin = Origin(
            open=source.blobs,
            repository=source.repository,
            failed=lambda error: caches.lost.append((source, error)),
        )
        origins.note(blobs, origin)

    sources = [_source(place, workspace, stack, registries) for place in places]
    caches = ImportedCaches(
        sources, workspace.layers, workspace.lease.content, stream=stream, note=note, cancelled=cancelled
    )
    records = ImportingRecords(workspace.store.database, caches, workspace.layers)
    try:
        yield Imported(replace(workspace, records=records), lambda: bool(caches.lost))
    except Cancelled:
        raise
    except DockyardError as error:
        if caches.lost:
            raise CacheLost([source.place for source in caches.give_up()], error) from error
        raise


def _source(
    place: ImportPlace,
    workspace: Workspace,
    stack: ExitStack,
    registries: Callable[[], Registries],
) -> CacheSource:
    from builder.cache.remote import sources
    from builder.cache.remote.objects import ObjectSource

    content = workspace.lease.content
    match place:
        case RegistryCache():
            return sources.RegistrySource(place, registries, content)
        case LocalCache():
            return sources.LayoutSource(place, content, stack)
        case GithubCache():
            from builder.cache.remote.github import GithubObjects

            return ObjectSource(place, GithubObjects(place, stack), content)
        case S3Cache():
            from builder.cache.remote.s3 import S3Objects

            return ObjectSource(place, S3Objects(place), content)
