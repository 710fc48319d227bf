"""What a build starts from: its contexts, its Dockerfile, its base images, reported as they are loaded.

This is the world as the frontend's `Resolver` and the solver's `Sources` see it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.graph import Git, Http
from builder.oci.digest import Digest
from builder.oci.reference import parse_reference
from builder.snapshot.context import ContextView
from builder.snapshot.disk import Directory
from builder.source.contexts import (
    DirectoryContext,
    LayoutContext,
    TargetContext,
    parse_context,
)
from builder.source.contexts import (
    ImageContext as ImageSpec,
)
from builder.source.errors import InvalidContext
from builder.source.texts import read_text
from frontend import (
    BuiltContext,
    ImageContext,
    LocalContext,
    RemoteContext,
    ResolvedImage,
    context_key,
    read_address,
    read_ignore_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager, ExitStack
    from pathlib import Path

    from builder.graph import Image, Local, Location, Target
    from builder.platforms import Platform
    from builder.progress.stream import Stream
    from builder.snapshot.layerdb import LayerID
    from builder.source.contexts import Context
    from builder.source.images import Documents, FoundImage, Images, Meaning
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
        self._make_target: Callable[[str, Platform], Target] | None = None
        self._find_time: Callable[[Git | Http], int | None] | None = None
        self._being_made: list[str] = []

    def add_directory(self, name: str, path: Path) -> None:
        """A directory of the caller that operations call `name`."""
        self._directories[name] = path

    def make_targets_with(self, make: Callable[[str, Platform], Target]) -> None:
        """How a stage of the Dockerfile becomes a named context, for a platform."""
        self._make_target = make

    def find_times_with(self, find: Callable[[Git | Http], int | None]) -> None:
        """How the time of something to fetch is found."""
        self._find_time = find

    @property
    def meanings(self) -> tuple[Meaning, ...]:
        """What the names of images stood for."""
        return self._images.meanings

    def documents(self, meaning: Meaning) -> Documents:
        """Where what is said of an image is, and signatures over it."""
        return self._images.documents(meaning)

    @property
    def directories(self) -> Mapping[str, Path]:
        """The directories of the caller that the build may copy from, by name."""
        return self._directories

    # As the frontend sees it.

    def image(self, reference: str, platform: Platform, *, location: Location) -> ResolvedImage:  # noqa: ARG002 - the resolver's
        """The image that a name has in the store."""
        with self._loading(reference, platform):
            return _resolved(self._images.from_store(reference, platform))

    def context(self, name: str, platform: Platform) -> NamedContext | None:
        """The context that the caller gave under this name."""
        found = self._contexts.get(name)
        if found is None:
            return None
        match found:
            case DirectoryContext(path=path):
                return self._directory(name, path)
            case Git() | Http():
                return RemoteContext(found)
            case TargetContext(stage=stage):
                return self._target(name, stage, platform)
            case LayoutContext() | ImageSpec():
                return self._image(name.partition("::")[0], found, platform)

    def modified(self, source: Git | Http) -> int | None:
        """When what `source` fetches was made, in seconds since 1970."""
        assert self._find_time is not None
        return self._find_time(source)

    def _directory(self, name: str, path: Path) -> NamedContext:
        self.add_directory(name, path)
        ignored = read_text(path / ".dockerignore")
        return LocalContext(name, read_ignore_file(ignored) if ignored is not None else ())

    def _image(self, short: str, found: LayoutContext | ImageSpec, platform: Platform) -> NamedContext:
        with self._loading(short, platform):
            if isinstance(found, LayoutContext):
                return ImageContext(_resolved(self._images.from_layout(found, short, platform)))
            return ImageContext(_resolved(self._images.from_store(found.reference, platform)))

    def _target(self, name: str, stage: str, platform: Platform) -> NamedContext:
        if name in self._being_made or self._make_target is None:
            raise InvalidContext(
                f"build context {name}=target:{stage} stands on itself",
                hint=f"stage {stage} uses {' and then '.join([*self._being_made, name])}",
            )
        self._being_made.append(name)
        try:
            made = self._make_target(stage, platform)
        finally:
            self._being_made.pop()
        return BuiltContext(made.vertex, made.config)

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


def _parse(named: Mapping[str, str]) -> dict[str, Context | Git | Http]:
    found: dict[str, Context | Git | Http] = {}
    for name, spec in named.items():
        bare, _, platform = name.partition("::")
        key = context_key(bare)
        if key is None:
            raise InvalidContext(f"invalid context name {name!r}")
        found[f"{key}::{platform}" if platform else key] = read_address(spec) or parse_context(name, spec)
    return found


def _resolved(image: FoundImage) -> ResolvedImage:
    return ResolvedImage(
        reference=image.reference,
        digest=image.found.descriptor.digest,
        config=image.found.config,
        platform=image.found.platform,
    )
