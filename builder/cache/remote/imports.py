"""Records that look elsewhere: what this machine does not know is looked for in the caches of the build.

Documents of a cache are read when the first step is not found here, and a blob of it when a step needs its bytes;
until then a layer is a promise. Importing is done as well as it can be: a cache that cannot be read, or a result
whose blobs are gone, is a miss, and the build goes on.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from builder.cache.records import CacheRecords
from builder.cache.remote.objects import CacheUnavailable
from builder.oci.digest import Digest, chain_id
from builder.oci.times import parse_time
from builder.registry.crew import Crew
from builder.registry.errors import RegistryError
from builder.store.errors import BlobNotFound, DigestMismatch
from builder.system.errors import Cancelled, DockyardError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from builder.cache.remote.sources import CacheSource
    from builder.cache.remote.stacks import CachedLayer, Known
    from builder.oci.descriptor import Descriptor
    from builder.progress.stream import Stream
    from builder.snapshot.layerdb import LayerID
    from builder.snapshot.layers import Layers
    from builder.store.database import Database
    from builder.store.protocol import ContentWriter

    Note = Callable[[Sequence[Descriptor], CacheSource], None]
    """Hears which blobs a cache has."""

_PARALLEL = 8


class ImportedCaches:
    """The caches that one build imports. Safe to share between threads."""

    def __init__(
        self,
        sources: Sequence[CacheSource],
        layers: Layers,
        content: ContentWriter,
        *,
        stream: Stream,
        note: Note,
        cancelled: threading.Event,
    ) -> None:
        self._sources = sources
        self._layers = layers
        self._content = content
        self._stream = stream
        self._note = note
        self._cancelled = cancelled
        self.lost: list[tuple[CacheSource, DockyardError]] = []
        """The caches that did not deliver a blob which they said they had, and why."""
        self._known: list[tuple[CacheSource, Known]] | None = None
        self._absent: set[tuple[str, Digest]] = set()
        self._checked: set[tuple[str, Digest]] = set()
        self._lock = threading.RLock()

    def key(self, definition: Digest) -> Digest | None:
        """The key that `definition` led to, where one of the caches was made."""
        for _, known in self._loaded():
            if (key := known.definitions.get(definition)) is not None:
                return key
        return None

    def knows(self, key: Digest) -> bool:
        """Whether a cache has a record of `key`, with layers or without."""
        return any(known.knows(key) for _, known in self._loaded())

    def layers(self, key: Digest) -> tuple[tuple[LayerID, ...], str] | None:
        """The layers that a cache has under `key`, and its name. None of them needs to be here yet."""
        for source, known in self._loaded():
            found = known.result(key)
            if found is not None and self._complete(source, known, found):
                self._note([each.descriptor for each in found], source)
                return self._registered(found, source), source.name
        return None

    def _loaded(self) -> list[tuple[CacheSource, Known]]:
        with self._lock:
            if self._known is None:
                read: dict[int, tuple[Known, ...]] = {}

                def load(position: int) -> None:
                    read[position] = self._read(self._sources[position])

                tasks = [partial(load, n) for n in range(len(self._sources))]
                Crew(_PARALLEL, self._cancelled).run(tasks)
                self._known = [(source, each) for n, source in enumerate(self._sources) for each in read[n]]
            return self._known

    def _read(self, source: CacheSource) -> tuple[Known, ...]:
        name = f"importing cache manifest from {source.name}"
        vertex = Digest.of(name.encode())
        with self._stream.vertex(vertex, name):
            try:
                return source.read()
            except Cancelled:
                raise
            except (DockyardError, OSError) as error:
                self._warn(source, f"nothing is taken from it: {_said(error)}")
                return ()

    def _complete(self, source: CacheSource, known: Known, found: Iterable[CachedLayer]) -> bool:
        """Whether all of `found` can be had."""
        with self._lock:
            wanted = {(source.name, each.descriptor.digest) for each in found}
            if not wanted <= self._checked:
                # All at once: the steps of a build are looked up one after the other.
                self._check(source, known)
            return not wanted & self._absent

    def _check(self, source: CacheSource, known: Known) -> None:
        blobs = {layer.descriptor.digest: layer.descriptor for layer in known.layers}

        def check(blob: Descriptor) -> None:
            try:
                is_there = self._content.find(blob.digest) is not None or source.has(blob)
            except Cancelled:
                raise
            except (DockyardError, OSError):
                is_there = False
            self._checked.add((source.name, blob.digest))
            if not is_there:
                self._absent.add((source.name, blob.digest))

        unknown = [blob for digest, blob in blobs.items() if (source.name, digest) not in self._checked]
        Crew(_PARALLEL, self._cancelled).run([partial(check, each) for each in unknown])
        gone = [blob.digest for blob in unknown if (source.name, blob.digest) in self._absent]
        if gone:
            self._warn(
                source, f"{len(gone)} of its layers are gone, {min(gone)} among them; their steps run again"
            )

    def _registered(self, found: Sequence[CachedLayer], source: CacheSource) -> tuple[LayerID, ...]:
        diff_ids = [layer.diff_id for layer in found]
        return tuple(
            self._layers.image(
                chain_id(diff_ids[: n + 1]),
                layer.descriptor,
                layer.diff_id,
                created_ns=parse_time(layer.created) or 0,
                fetch=lambda blob: self._fetch(source, blob),
            )
            for n, layer in enumerate(found)
        )

    def _fetch(self, source: CacheSource, blob: Descriptor) -> None:
        try:
            source.fetch(blob)
        except (BlobNotFound, DigestMismatch, RegistryError, CacheUnavailable) as error:
            self.lost.append((source, error))
            raise

    def give_up(self) -> tuple[CacheSource, ...]:
        """Says what was lost, and returns the caches that a build should do without."""
        reasons = {source.name: (source, error) for source, error in reversed(self.lost)}
        for source, error in reasons.values():
            self._warn(
                source, f"a layer cannot be had, and nothing is taken from it any more: {error.message}"
            )
        return tuple(source for source, _ in reasons.values())

    def _warn(self, source: CacheSource, message: str) -> None:
        vertex = Digest.of(f"importing cache manifest from {source.name}".encode())
        self._stream.warning(vertex, f"cache of {source.name}: {message}")


class ImportingRecords(CacheRecords):
    """The records of a state root, and behind them the caches that a build imports.

    What is taken from a cache is remembered here, so that the next build needs the cache no more.
    """

    def __init__(self, database: Database, caches: ImportedCaches, layers: Layers) -> None:
        super().__init__(database)
        self._caches = caches
        self._layers = layers

    def find(self, key: Digest) -> tuple[LayerID, ...] | None:
        """The layers that `key` stands for, lowest first, here if they can be used, or else in a cache."""
        here = super().find(key)
        if here is not None and self._layers.usable(here):
            return here
        found = self._caches.layers(key)
        if found is None:
            return here
        layers, name = found
        self.save(key, layers, description=f"imported from {name}")
        return layers

    def knows(self, key: Digest) -> bool:
        """Whether there is a record of `key`, here or in a cache, of use or not."""
        return super().knows(key) or self._caches.knows(key)

    def find_definition(self, definition: Digest) -> Digest | None:
        """The key that a definition led to, here or where a cache was made."""
        key = super().find_definition(definition)
        if key is None and (key := self._caches.key(definition)) is not None:
            self.save_definition(definition, key)
        return key


def _said(error: DockyardError | OSError) -> str:
    return error.message if isinstance(error, DockyardError) else str(error)
