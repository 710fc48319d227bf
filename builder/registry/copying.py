"""From a registry into the content store: one blob, verified, whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.oci.digest import CHUNK
from builder.registry.errors import WrongContent
from builder.registry.watching import Transfer, unwatched
from builder.store.errors import DigestMismatch

if TYPE_CHECKING:
    from builder.oci.descriptor import Descriptor
    from builder.registry.reader import RegistryReader
    from builder.registry.stream import ResumingStream
    from builder.registry.watching import Watcher
    from builder.store.protocol import ContentWriter, Sink


def copy_blob(
    reader: RegistryReader, blob: Descriptor, content: ContentWriter, *, watch: Watcher = unwatched
) -> None:
    """Brings `blob` into the store, under the lease of `content`; costs nothing when it is there.

    Raises: MissingBlob; WrongContent when no host has the right bytes; RegistryError, StoreError.
    """
    if content.has(blob.digest):
        watch(Transfer(blob, "present"))
        return
    while True:
        with reader.stream(blob.digest) as stream:
            try:
                with content.ingest(f"{reader.repository.name}@{blob.digest}") as sink:
                    _copy(stream, blob, sink, watch)
                    sink.commit(expected=blob.digest, size=blob.size)
            except DigestMismatch as error:
                if not reader.repository.avoid(stream.host):
                    raise WrongContent(f"{stream.host} sent wrong bytes: {error.message}") from error
            else:
                watch(Transfer(blob, "done", blob.size))
                return


def _copy(stream: ResumingStream, blob: Descriptor, sink: Sink, watch: Watcher) -> None:
    done = 0
    # One byte too many is enough to know; an endless body must not fill the disk first.
    while done <= blob.size and (chunk := stream.read(min(CHUNK, blob.size + 1 - done))):
        done += sink.write(chunk)
        watch(Transfer(blob, "moving", done))
