"""What names outside of the Dockerfile stand for, asked once each, and the vertices made of the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.graph import Copy, Description, File, Git, Http, Image, Local, Location, Owner, Vertex, vertex
from builder.graph.location import LocatedError
from builder.oci.reference import parse_reference
from builder.system.errors import Cancelled, DockyardError
from frontend.dockerfile.errors import DockerfileError
from frontend.dockerfile.planning import SCRATCH
from frontend.dockerfile.remote import redacted
from frontend.dockerfile.suggestions import did_you_mean
from frontend.resolver import BuiltContext, ImageContext, LocalContext, RemoteContext, find_context

if TYPE_CHECKING:
    from collections.abc import Iterable

    from builder.platforms import Platform
    from frontend.dockerfile.conversion.scene import Scene
    from frontend.options import Options
    from frontend.resolver import NamedContext, ResolvedImage, Resolver

_WELL_KNOWN: Final = ("alpine", "busybox", "centos", "debian", "golang", "ubuntu", "fedora")


class Images:
    """Asks the resolver, and remembers what it said for the whole conversion."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._images: dict[tuple[str, Platform], ResolvedImage] = {}
        self._contexts: dict[tuple[str, Platform], NamedContext | None] = {}

    def context(self, name: str, platform: Platform, *, location: Location | None) -> NamedContext | None:
        """The named context that stands in for `name`, if there is one.

        Raises: DockerfileError, from what the resolver says of one that cannot be used.
        """
        key = (name, platform)
        if key not in self._contexts:
            try:
                self._contexts[key] = find_context(self._resolver, name, platform)
            except (Cancelled, LocatedError):
                raise
            except DockyardError as error:
                raise DockerfileError(error.message, location=location, hint=error.hint) from error
        return self._contexts[key]

    def modified(self, source: Git | Http, *, location: Location | None) -> int | None:
        """When what `source` fetches was made, in seconds since 1970. Raises: DockerfileError."""
        try:
            return self._resolver.modified(source)
        except (Cancelled, LocatedError):
            raise
        except DockyardError as error:
            raise DockerfileError(error.message, location=location, hint=error.hint) from error

    def image(
        self, name: str, platform: Platform, *, location: Location, stages: Iterable[str]
    ) -> ResolvedImage:
        """The image called `name`; `stages` are names that may have been meant instead.

        Raises: DockerfileError, from what the resolver says.
        """
        key = (name, platform)
        if key not in self._images:
            try:
                self._images[key] = self._resolver.image(name, platform, location=location)
            except Cancelled:
                raise
            except DockyardError as error:
                known = [*stages, *_WELL_KNOWN, *(f"{each}:latest" for each in _WELL_KNOWN)]
                raise DockerfileError(
                    f"{name}: failed to resolve source metadata for {parse_reference(name)}: "
                    f"{error.message}{did_you_mean(name, known)}",
                    location=location,
                    hint=error.hint,
                ) from error
        return self._images[key]


def image_name(image: ResolvedImage) -> str:
    """The full name of an image, pinned to its digest."""
    return str(image.reference.with_digest(image.digest))


def image_vertex(image: ResolvedImage, name: str, *, location: Location, stage: str = "") -> Vertex:
    """The vertex of an image, called `name` in progress."""
    operation = Image(
        reference=image_name(image),
        digest=image.digest,
        diff_ids=image.config.diff_ids,
        platform=image.platform,
    )
    return vertex(operation, description=Description(name=name, location=location, stage=stage))


def context_vertex(name: str, context: NamedContext, location: Location) -> Vertex | None:
    """The vertex of the named context that the Dockerfile calls `name`; None for one without files."""
    match context:
        case ImageContext(image=image):
            return image_vertex(image, f"[context {name}] {image_name(image)}", location=location)
        case LocalContext():
            description = Description(name=f"[context {name}] load from client", location=location)
            return vertex(Local(name=context.name, exclude=context.exclude), description=description)
        case RemoteContext(operation=operation):
            where = operation.remote if isinstance(operation, Git) else operation.url
            description = Description(name=f"[context {name}] load from {redacted(where)}", location=location)
            return vertex(operation, description=description)
        case BuiltContext():
            return context.vertex


def outside_vertex(scene: Scene, name: str, location: Location) -> Vertex | None:
    """What `name`, which is no stage's, stands for: a named context, or an image for the target platform.

    None: `scratch`, or a context without files. Raises: DockerfileError.
    """
    if name == SCRATCH:
        return None
    if context := scene.images.context(name, scene.platform, location=location):
        return context_vertex(name, context, location)
    image = scene.images.image(name, scene.platform, location=location, stages=scene.stage_names)
    return image_vertex(image, f"FROM {image_name(image)}", location=location)


def directory_layer(name: str, directory: Vertex, location: Location) -> Vertex:
    """The vertex of the layer that plain files, called `name`, become where they are a stage's base."""
    copy = Copy(input=0, sources=("/",), destination="/", owner=Owner(0, 0))
    description = Description(name=f"local source for {name}", location=location)
    return vertex(File(base=None, actions=(copy,)), directory, description=description)


def build_context(options: Options) -> Vertex:
    """The vertex of the main context."""
    description = Description(name="[internal] load build context")
    local = Local(name="context", exclude=options.context_exclude)
    return options.context or vertex(local, description=description)
