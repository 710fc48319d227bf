"""What a build starts from: its contexts, its Dockerfile, its base images, reported as they are loaded.

This is the world as the frontend's `Resolver` and the solver's `Sources` see it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.oci.digest import Digest
from builder.oci.reference import parse_reference
from builder.snapshot.context import ContextView
from builder.snapshot.disk import Directory
from builder.source.contexts import DirectoryContext, LayoutContext, parse_context
from builder.source.errors import InvalidContext
from builder.source.texts import read_text
from frontend import ImageContext, LocalContext, ResolvedImage, context_key, read_ignore_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager, ExitStack
    from pathlib import Path

    from builder.graph import Image, Local, Location
    from builder.platforms import Platform
    from builder.progress.stream import Stream
    from builder.snapshot.layerdb import LayerID
    from builder.source.contexts import Context
    from builder.source.images import FoundImage, Images, Meaning
    from frontend import NamedContext

MAIN_CONTEXT = "context"


class Inputs:
    """Contexts and images of one build. `stack` closes what is opened here."""

    def __init__(
        self,
        images: Images,
        stream: Stream,
        stack: ExitStack,
        *,
        main: Path | None,
        named: Mapping[str, str],
        several: bool = False,
    ) -> None:
        """`several`: the build has more than one platform, and names of vertices say which they are for.

        Raises: InvalidContext, Unsupported for a named context that cannot be used.
        """
        self._several = several
        self._images = images
        self._stream = stream
        self._stack = stack
        self._directories: dict[str, Path] = {} if main is None else {MAIN_CONTEXT: main}
        self._contexts = _parse(named)

    @property
    def meanings(self) -> tuple[Meaning, ...]:
        """What the names of images stood for."""
        return self._images.meanings

    @property
    def directories(self) -> Mapping[str, Path]:
        """The directories of the caller that the build may copy from, by name."""
        return self._directories

    # As the frontend sees it.

    def image(self, reference: str, platform: Platform, *, location: Location) -> ResolvedImage:  # noqa: ARG002
        """The image that a name has in the store."""
        with self._loading(reference, platform):
            return _resolved(self._images.from_store(reference, platform))

    def context(self, name: str, platform: Platform) -> NamedContext | None:
        """The context that the caller gave under this name."""
        found = self._contexts.get(name)
        if found is None:
            return None
        short = name.partition("::")[0]
        if isinstance(found, DirectoryContext):
            self._directories[name] = found.path
            ignored = read_text(found.path / ".dockerignore")
            return LocalContext(name, read_ignore_file(ignored) if ignored is not None else ())
        with self._loading(short, platform):
            if isinstance(found, LayoutContext):
                return ImageContext(_resolved(self._images.from_layout(found, short, platform)))
            return ImageContext(_resolved(self._images.from_store(found.reference, platform)))

    # As the solver sees it.

    def layers(self, operation: Image) -> tuple[LayerID, ...]:
        """The layers of an image that was resolved before."""
        return self._images.layers(operation)

    def local(self, operation: Local) -> ContextView:
        """A directory of the caller.

        Raises: InvalidContext when the build has none of that name.
        """
        path = self._directories.get(operation.name)
        if path is None:
            raise InvalidContext(
                f"the build has no context {operation.name!r} to copy from",
                hint="give a directory as the context of the build",
            )
        directory = self._stack.enter_context(Directory(path))
        return ContextView(directory, operation.exclude)

    def _loading(self, image: str, platform: Platform) -> AbstractContextManager[None]:
        prefix = f"{platform} internal" if self._several else "internal"
        name = f"[{prefix}] load metadata for {parse_reference(image)}"
        return self._stream.vertex(Digest.of(name.encode()), name)


def _parse(named: Mapping[str, str]) -> dict[str, Context]:
    found = {}
    for name, spec in named.items():
        bare, _, platform = name.partition("::")
        key = context_key(bare)
        if key is None:
            raise InvalidContext(f"invalid context name {name!r}")
        found[f"{key}::{platform}" if platform else key] = parse_context(name, spec)
    return found


def _resolved(image: FoundImage) -> ResolvedImage:
    return ResolvedImage(
        reference=image.reference,
        digest=image.found.descriptor.digest,
        config=image.found.config,
        platform=image.found.platform,
    )
