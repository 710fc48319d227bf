"""A small world for the frontend: a resolver that knows what a test tells it, and short ways to convert."""

from __future__ import annotations

import msgspec

from builder.graph import Exec, File, Git, Http, Location, Operation, SourceFile, Target, Vertex, walk
from builder.oci.config import ContainerConfig, ImageConfig, RootFS
from builder.oci.digest import Digest
from builder.oci.reference import parse_reference
from builder.platforms import Platform
from builder.system.errors import DockyardError
from frontend import Definition, NamedContext, Options, ResolvedImage, convert
from frontend.dockerfile.errors import DockerfileError

AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64")
ARMV7 = Platform("linux", "arm", "v7")
SOURCE = SourceFile("Dockerfile", "")
HERE = Location(SOURCE, 1, 1)


class World:
    """A resolver: knows some images, for every platform, and some contexts; remembers what it was asked."""

    def __init__(self, *images: str, **configs: ContainerConfig) -> None:
        self.images = {name: ContainerConfig() for name in ("busybox", "alpine", "debian", *images)} | configs
        self.contexts: dict[str, NamedContext | DockyardError] = {}
        self.history: dict[str, ImageConfig] = {}
        self.times: dict[str, int] = {}
        self.asked: list[tuple[str, str]] = []

    def image(self, reference: str, platform: Platform, *, location: Location) -> ResolvedImage:
        self.asked.append((reference, str(platform)))
        if reference not in self.images:
            raise DockyardError("not found")
        return image(reference, platform, self.images[reference])

    def context(self, name: str, platform: Platform) -> NamedContext | None:
        found = self.contexts.get(name)
        if isinstance(found, DockyardError):
            raise found
        return found

    def modified(self, source: Git | Http) -> int | None:
        return self.times.get(source.remote if isinstance(source, Git) else source.url)


def image(reference: str, platform: Platform, config: ContainerConfig | None = None) -> ResolvedImage:
    layer = Digest.of(f"{reference} {platform}".encode())
    return ResolvedImage(
        reference=parse_reference(reference),
        digest=layer,
        config=ImageConfig(
            architecture=platform.architecture,
            os=platform.os,
            variant=platform.variant,
            created="2020-01-01T00:00:00Z",
            config=config or ContainerConfig(),
            rootfs=RootFS(diff_ids=(layer,)),
        ),
        platform=platform,
    )


def read(text: str, world: World | None = None, **options: object) -> Definition:
    """The conversion of `text` for linux/amd64, or for what `options` say."""
    chosen = msgspec.structs.replace(Options(build_platform=AMD64), **options)
    return convert(text.encode(), chosen, world or World())


def target(text: str, world: World | None = None, **options: object) -> Target:
    """The only target of `text`."""
    (found,) = read(text, world, **options).targets
    return found


def vertices(built: Target) -> list[Vertex]:
    return [] if built.vertex is None else list(walk([built.vertex]))


def names(built: Target) -> list[str]:
    """Progress names, inputs first, digests left out."""
    return [vertex.description.name.partition("@sha256")[0] for vertex in vertices(built)]


def operations(built: Target) -> list[Operation]:
    return [vertex.operation for vertex in vertices(built)]


def last(built: Target) -> Operation:
    assert built.vertex is not None
    return built.vertex.operation


def last_run(built: Target) -> Exec:
    return next(each for each in reversed(operations(built)) if isinstance(each, Exec))


def last_file(built: Target) -> File:
    return next(each for each in reversed(operations(built)) if isinstance(each, File))


def history(built: Target) -> list[str]:
    return [entry.created_by for entry in built.config.history]


def failure(text: str, world: World | None = None, **options: object) -> DockerfileError:
    """The error that `text` ends in."""
    try:
        read(text, world, **options)
    except DockerfileError as error:
        return error
    raise AssertionError(f"no error in {text!r}")


def message(text: str, world: World | None = None, **options: object) -> str:
    return failure(text, world, **options).message
