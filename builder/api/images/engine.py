"""Images at a Docker Engine, by its API."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from builder.api.images.sending import send_image
from builder.api.images.service import Delivered, Loaded, OpenImage
from builder.api.pulling import Pulled
from builder.api.running import require_terminal
from builder.oci.digest import Digest
from builder.oci.reference import parse_reference
from builder.progress.stream import Stream, discard
from builder.store.admission import require_multi_platform, require_storable
from builder.store.engine.containers import Streams, run_container
from builder.store.engine.images import EngineImages
from builder.store.engine.transfers import pull_by_engine, push_by_engine
from builder.store.errors import InvalidLayout
from builder.system.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from builder.api.run_plan import RunWishes
    from builder.oci.descriptor import Descriptor
    from builder.oci.reference import Reference
    from builder.platforms import Platform
    from builder.progress.events import EventSink
    from builder.store.engine.engine import Engine
    from builder.store.engine.transfers import Step
    from builder.store.facts import ListedImage
    from builder.store.layout.reader import LayoutReader
    from builder.store.protocol import Image
    from exporter.attest.signing.checking import SignaturePlace


class ImagesAtEngine:
    """The images of an engine (`ImageService`)."""

    def __init__(self, engine: Engine, root: Path) -> None:
        """Takes `engine` over; archives of images lie in the state root `root` while they are read."""
        self._engine = engine
        self._root = root
        self.images = EngineImages(engine)

    @property
    def identity(self) -> str:
        """Where the engine is."""
        return self._engine.address

    def listed(self) -> tuple[ListedImage, ...]:
        """Every image by name, with what the engine says of it."""
        return self.images.listed()

    @contextmanager
    def reading(self, image: Image) -> Iterator[OpenImage]:
        """The image as the engine saves it: it hands out no single blobs."""
        with self.images.open([image.name], scratch=self._root) as archive:

            def signatures() -> SignaturePlace:
                from exporter.attest.signing.places import LayoutPlace

                return LayoutPlace(archive)

            yield OpenImage(archive, archive.find(), signatures)

    def save(self, images: Sequence[Image], fd: int) -> None:
        """Writes what `docker save` writes."""
        self.images.save([image.name for image in images], fd)

    def load(self, archive: LayoutReader, names: Sequence[Reference]) -> Loaded:
        """Sends the images; those that the engine has get their names only. It keeps no signatures."""
        wanted = _named(archive, names)
        for root, _ in wanted:
            require_storable(self._engine.capabilities, archive, root)
        for root, given in wanted:
            send_image(self._engine, archive, root, given)
        loaded = tuple(self.images.get(str(name)) for _, given in wanted for name in given)
        return Loaded(loaded, tuple(_lost_signatures(archive, wanted)))

    def pull(
        self,
        name: str,
        *,
        platforms: Sequence[Platform] | None,
        signatures: bool = False,
        on_event: EventSink | None = None,
    ) -> Pulled:
        """Has the engine fetch the image, a platform at a time. It fetches no signatures."""
        if signatures:
            raise UsageError("a Docker Engine keeps no signatures", hint="leave --signatures out")
        if platforms is None:
            raise UsageError("a Docker Engine fetches no `all` platforms", hint="name them: --platform LIST")
        require_multi_platform(self._engine.capabilities, platforms)
        reference = parse_reference(name)
        changed = False
        with _shown(f"pulling {reference}", on_event) as report:
            for platform in platforms:
                new = pull_by_engine(self._engine, reference, platform=platform, report=report)
                changed = changed or new
        return Pulled(reference=reference, target=self.images.get(str(reference)).target, changed=changed)

    def push(self, name: str, *, on_event: EventSink | None = None) -> Delivered:
        """Has the engine send the image."""
        reference = parse_reference(name)
        with _shown(f"pushing {reference}", on_event) as report:
            sent = push_by_engine(self._engine, reference, report=report)
        return Delivered(sent.digest, sent.size)

    def run(self, image: Image, wishes: RunWishes) -> int:
        """Runs a program in a container of the engine's, which is removed afterwards."""
        require_terminal(wishes)
        sys.stdout.flush()
        streams = Streams(sys.stdin.fileno(), sys.stdout.fileno(), sys.stderr.fileno())
        return run_container(self._engine, image.target.digest, wishes, streams)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.__exit__(kind, error, trace)


@contextmanager
def _shown(name: str, on_event: EventSink | None) -> Iterator[Callable[[Step], None]]:
    """Shows what the engine says of layers as parts of a vertex."""
    stream = Stream(on_event or discard)
    vertex = Digest.of(name.encode())

    def report(step: Step) -> None:
        stream.status(
            vertex, f"{step.layer} {step.status}", current=step.current, total=step.total, done=step.done
        )

    try:
        with stream.vertex(vertex, name):
            yield report
    finally:
        stream.finished(None)


def _named(
    archive: LayoutReader, names: Sequence[Reference]
) -> list[tuple[Descriptor, tuple[Reference, ...]]]:
    """The images of the archive with the names that they shall have. Raises: InvalidLayout."""
    if names:
        return [(archive.find(), tuple(names))]
    named = archive.names()
    if not named:
        raise InvalidLayout(
            f"{archive.origin} does not say what its images are called", hint="give the image a name"
        )
    targets = {target.digest: target for _, target in named}.values()
    return [
        (target, tuple(name for name, each in named if each.digest == target.digest)) for target in targets
    ]


def _lost_signatures(
    archive: LayoutReader, wanted: Sequence[tuple[Descriptor, tuple[Reference, ...]]]
) -> Iterator[str]:
    from exporter.attest.signing.places import LayoutPlace

    place = LayoutPlace(archive)
    for root, names in wanted:
        if any(True for _ in place.carriers(root.digest)):
            yield f"signatures over {names[0]} were left out: a Docker Engine keeps none"
