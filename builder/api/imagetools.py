"""Images at registries, without a store: shown, combined, annotated, copied from repository to repository.

What the target's registry has in another repository it takes from there; the rest passes through, a blob at a
time, and is kept nowhere.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

from builder.api.transfers import shown_on
from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest, decode_hook
from builder.oci.mediatypes import INDEXES, MANIFESTS
from builder.oci.reference import Reference, parse_reference
from builder.platforms import Platform
from builder.progress.stream import Stream, discard
from builder.registry.errors import MissingBlob
from builder.registry.push import push_image
from builder.registry.reader import RegistryReader
from builder.registry.registries import Registries
from builder.store.imagegraph import walk_image
from builder.system.errors import UsageError
from exporter.annotations import Annotation
from exporter.imagetools.combine import Source, combine
from exporter.imagetools.view import ImageView

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

    from builder.progress.events import EventSink
    from exporter.imagetools.combine import Combined

_DIGEST: Final = "sha256:"


class CombineOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What is combined and how; see the flags of `dockyard imagetools create`.

    `sources` are names, digests, or descriptors in JSON; the latter two belong to the one repository that is named
    elsewhere.
    """

    sources: tuple[str, ...]
    tags: tuple[str, ...] = ()
    append: bool = False
    annotations: tuple[Annotation, ...] = ()
    platforms: tuple[Platform, ...] = ()
    prefer_index: bool = True
    dry_run: bool = False


@contextmanager
def open_view(name: str) -> Iterator[ImageView]:
    """The image `name` at its registry, readable inside the block. Raises: RegistryError, InvalidReference."""
    reference = parse_reference(name)
    with Registries(os.environ) as registries:
        reader = RegistryReader(registries.repository(reference))
        yield ImageView(str(reference), reader.resolve(reference), reader)


def create(
    options: CombineOptions, *, on_event: EventSink | None = None, cancel: threading.Event | None = None
) -> Combined:
    """Combines images and puts the result under every tag, or nowhere with `dry_run`.

    Raises: UsageError, RegistryError, ExportError, InvalidDocument, InvalidReference, Cancelled.
    """
    if not options.sources:
        raise UsageError("no sources specified")
    if not options.tags and not options.dry_run:
        raise UsageError("can't push with no tags specified, please set --tag or --dry-run")
    if options.append and len(options.tags) != 1:
        raise UsageError("--append needs exactly one --tag: the image to append to")
    tags = tuple(parse_reference(tag) for tag in options.tags)
    stream = Stream(on_event or discard)
    with ExitStack() as stack:
        stack.callback(lambda: stream.finished(None))
        registries = stack.enter_context(Registries(os.environ, cancelled=cancel))
        sources = _resolved(_located(options, tags), registries)
        combined = combine(
            sources,
            annotations=options.annotations,
            platforms=options.platforms,
            prefer_index=options.prefer_index,
        )
        if not options.dry_run:
            blobs = _Blobs(combined, sources)
            for tag in tags:
                _push(combined, blobs, tag, registries, stream)
    return combined


def _push(combined: Combined, blobs: _Blobs, tag: Reference, registries: Registries, stream: Stream) -> None:
    repository = registries.repository(tag)
    vertex = Digest.of(f"pushing {tag}".encode())
    with stream.vertex(vertex, f"[internal] pushing {tag}"):
        push_image(
            repository,
            blobs,
            combined.root,
            tags=(tag.tag,) if tag.tag else (),
            mounts=lambda blob: blobs.lenders(blob.digest, tag),
            watch=shown_on(stream, vertex),
            cancelled=registries.cancelled,
        )


# Sources.


class _Located(msgspec.Struct, frozen=True):
    """A source as somebody named it: where it is, and its descriptor if that was given."""

    reference: Reference
    descriptor: Descriptor | None = None


def _located(options: CombineOptions, tags: Sequence[Reference]) -> list[_Located]:
    """Raises: UsageError, InvalidReference."""
    parsed = [_parse(text) for text in options.sources]
    named = [each for each in parsed if isinstance(each, Reference)]
    home = {each.repository: each for each in (*named, *tags)}
    located = [_Located(tag) for tag in tags if options.append]
    for each in parsed:
        if isinstance(each, Reference):
            located.append(_Located(each))
            continue
        if len(home) != 1:
            raise UsageError(
                f"which repository has {each.digest}?",
                hint="name it with its digest, NAME@DIGEST; a bare one needs all names to be of one repository",
            )
        repository = next(iter(home.values()))
        known = each if each.size and each.media_type else None
        located.append(_Located(Reference(repository.domain, repository.path, digest=each.digest), known))
    return located


def _parse(text: str) -> Reference | Descriptor:
    text = text.strip()
    if text.startswith(_DIGEST):
        return Descriptor(media_type="", digest=Digest.parse(text), size=0)
    if not text.startswith("{"):
        return parse_reference(text)
    try:
        return msgspec.json.decode(text, type=Descriptor, dec_hook=decode_hook)
    except msgspec.DecodeError as error:
        raise UsageError(f"not a descriptor: {text[:100]}: {error}") from error


def _resolved(located: Sequence[_Located], registries: Registries) -> list[Source]:
    sources = []
    for each in located:
        reader = RegistryReader(registries.repository(each.reference))
        known = each.descriptor
        if known is None or known.media_type not in INDEXES | MANIFESTS:
            known = reader.resolve(each.reference)
        sources.append(Source(known, reader))
    return sources


class _Blobs:
    """All that the result is made of, each from the repository that has it (`protocol.BlobReader`)."""

    def __init__(self, combined: Combined, sources: Sequence[Source]) -> None:
        self._combined = combined
        self._homes: dict[Digest, list[RegistryReader]] = {}
        for source in sources:
            assert isinstance(source.reader, RegistryReader)
            for visited in walk_image(source.reader, source.descriptor):
                self._homes.setdefault(visited.descriptor.digest, []).append(source.reader)

    def read(self, descriptor: Descriptor) -> bytes:
        """All bytes of a document, verified. Raises: RegistryError, InvalidDocument."""
        if descriptor.digest == self._combined.root.digest:
            return self._combined.content
        return self._home(descriptor.digest).read(descriptor)

    def open(self, digest: Digest) -> BinaryIO:
        """The blob; the caller closes. Raises: RegistryError."""
        return self._home(digest).open(digest)

    def lenders(self, digest: Digest, target: Reference) -> Sequence[str]:
        """Repositories of the target's registry that have the blob."""
        homes = (reader.repository for reader in self._homes.get(digest, ()))
        paths = (home.path for home in homes if home.domain == target.domain and home.path != target.path)
        return tuple(dict.fromkeys(paths))

    def _home(self, digest: Digest) -> RegistryReader:
        homes = self._homes.get(digest)
        if not homes:
            raise MissingBlob(f"no source has {digest}")
        return homes[0]
