"""Caches in stores of plain objects: blobs by digest, and a config under a name.

The config has to say itself what its layers are, because there is no manifest. Blobs of such a store go when nobody
has wanted them for long, so each is asked for before it is relied upon.
"""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol, cast

from builder.cache.remote.config import decode_cache_config, encode_cache_config, require_small
from builder.cache.remote.sources import copy_from
from builder.cache.remote.stacks import describe_steps, read_config
from builder.oci.digest import CHUNK, Digest
from builder.registry.crew import Crew
from builder.store.streams import read_document
from builder.system.errors import DockyardError

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from builder.cache.remote.places import ImportPlace
    from builder.cache.remote.stacks import CachedStep, Known
    from builder.cache.remote.targets import Report
    from builder.oci.descriptor import Descriptor
    from builder.oci.reference import Reference
    from builder.store.protocol import BlobReader, ContentWriter

_PARALLEL: Final = 4
"""Blobs that are written at once, as in BuildKit."""


class CacheUnavailable(DockyardError):
    """A store of objects did not do what it was asked; the message holds no key and no signed address."""


class Objects(Protocol):
    """One cache in a store of objects. Methods raise CacheUnavailable. Safe to share between threads."""

    name: str
    """What people call it; holds no secret."""

    def configs(self) -> Sequence[bytes]:
        """The configs that are there, each at most a byte longer than one may be."""
        ...

    def has(self, blob: Digest) -> bool:
        """Whether the blob is there."""
        ...

    def open(self, digest: Digest) -> BinaryIO:
        """The blob, not verified; the caller closes. Raises: BlobNotFound."""
        ...

    def put(self, blob: Descriptor, stream: BinaryIO) -> None:
        """Stores a blob; `stream` is buffered."""
        ...

    def keep(self, blob: Descriptor) -> bool:
        """Whether the blob is there, and will be for as long as one that is stored now."""
        ...

    def put_config(self, content: bytes) -> None:
        """Stores the config under the cache's name, in place of what was there."""
        ...


class ObjectSource:
    """A cache in a store of objects, to read (`builder.cache.remote.sources.CacheSource`)."""

    repository: Reference | None = None

    def __init__(self, place: ImportPlace, objects: Objects, content: ContentWriter) -> None:
        self.place = place
        self.name = objects.name
        self._objects = objects
        self._content = content

    def read(self) -> tuple[Known, ...]:
        """What the cache knows."""
        contents = self._objects.configs()
        for content in contents:
            require_small(len(content), f"the cache config of {self.name}")
        return tuple(read_config(decode_cache_config(content), {}) for content in contents)

    def has(self, blob: Descriptor) -> bool:
        """Whether the blob is there."""
        return self._objects.has(blob.digest)

    def blobs(self) -> BlobReader:
        """Its blobs."""
        return _Blobs(self._objects)

    def fetch(self, blob: Descriptor) -> None:
        """Brings a blob into the store."""
        copy_from(self.blobs(), blob, self._content)


class ObjectTarget:
    """A cache in a store of objects, to write (`builder.cache.remote.targets.CacheTarget`)."""

    needs_layers = False

    def __init__(
        self,
        title: str,
        objects: Objects,
        content: ContentWriter,
        *,
        far: BlobReader,
        cancelled: threading.Event,
    ) -> None:
        """`far` has blobs that `content` lacks."""
        self._cancelled = cancelled
        self.title = title
        self._objects = objects
        self._content = content
        self._far = far

    def write(self, steps: Sequence[CachedStep], report: Report) -> int:
        """Writes the layers that are not there yet, and the config last."""
        config, layers = describe_steps(steps, annotated=True)
        blobs = {layer.descriptor.digest: layer.descriptor for layer in layers}
        content = encode_cache_config(config)
        tasks = [partial(self._put, each, report) for each in blobs.values()]
        Crew(_PARALLEL, self._cancelled).run(tasks)
        report(f"writing config {Digest.of(content)}")
        self._objects.put_config(content)
        report(f"writing config {Digest.of(content)}", current=len(content), done=True)
        return len(content)

    def _put(self, blob: Descriptor, report: Report) -> None:
        if self._objects.keep(blob):
            return
        label = f"writing layer {blob.digest}"
        report(label, total=blob.size)
        with self._open(blob.digest) as stream:
            self._objects.put(blob, stream)
        report(label, current=blob.size, total=blob.size, done=True)

    def _open(self, digest: Digest) -> BinaryIO:
        reader: BlobReader = self._content if self._content.has(digest) else self._far
        # A stream may hand out less than it is asked for, which is taken for its end by those who store it.
        return cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", reader.open(digest)), CHUNK))


class _Blobs:
    """The blobs of a store of objects (`builder.store.protocol.BlobReader`)."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def read(self, descriptor: Descriptor) -> bytes:
        """All bytes of a small blob."""
        with self.open(descriptor.digest) as stream:
            return read_document(stream, descriptor)

    def open(self, digest: Digest) -> BinaryIO:
        """The blob; the caller closes."""
        return self._objects.open(digest)
