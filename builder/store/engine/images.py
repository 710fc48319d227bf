"""The names of a Docker Engine's images (`builder.store.protocol.ImageStore`), and the images as archives.

The engine collects by itself: an image that loses its last name is gone.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

import msgspec

from builder.oci.digest import CHUNK, Digest
from builder.oci.reference import parse_reference
from builder.store.engine.errors import EngineError
from builder.store.engine.listing import Inspected, decode_list, listed_images
from builder.store.errors import BlobNotFound, ImageNotFound
from builder.store.layout.files import open_archive
from builder.store.layout.output import write_all
from builder.store.layout.reader import read_layout
from builder.system.rawstreams import ChunkStream

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from builder.oci.descriptor import Descriptor
    from builder.store.engine.engine import Engine
    from builder.store.facts import ListedImage
    from builder.store.layout.reader import LayoutReader
    from builder.store.protocol import Image
    from builder.store.tables import Labels


class EngineImages:
    """The images of one engine. `Raises` of all methods: EngineError."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def listed(self) -> tuple[ListedImage, ...]:
        """Every image by name, with what the engine knows of it."""
        with self._engine.errors("docker images"):
            answer = self._engine.get("/images/json", {"manifests": "1"}).content
        return listed_images(decode_list(answer), self._inspected)

    def find(self, name: str) -> Image | None:
        """The image of that name; None when there is none."""
        return next((image for image in self.all() if image.name == name), None)

    def get(self, name: str) -> Image:
        """The image of that name. Raises: ImageNotFound, too."""
        image = self.find(name)
        if image is None:
            raise ImageNotFound(
                f"no image {name!r} at the engine", hint="`dockyard images` lists what there is"
            )
        return image

    def all(self) -> tuple[Image, ...]:
        """Every image, by name."""
        return tuple(each.image for each in self.listed())

    def set(self, name: str, target: Descriptor, *, labels: Labels | None = None) -> Image:  # noqa: ARG002 - the store's
        """Gives the image of that ID the name; an engine keeps no labels with names.

        Raises: BlobNotFound, too, when it has no such image.
        """
        if not self._engine.tag(target.digest, [parse_reference(name)]):
            raise BlobNotFound(f"cannot name {target.digest} {name!r}: the engine has no such image")
        return self.get(name)

    def delete(self, name: str) -> bool:
        """Takes the name away, and with the last one the image; False when there was none."""
        from docker.errors import ImageNotFound as Unknown

        with self._engine.errors("docker rmi"):
            try:
                self._engine.client.remove_image(name)
            except Unknown:
                return False
        return True

    def has_whole(self, root: Digest) -> bool:
        """Whether the engine has an image of that ID with all of its manifests."""
        found = (each.facts.manifests for each in self.listed() if each.image.target.digest == root)
        return any(all(each.here for each in manifests) for manifests in found)

    def save(self, names: Sequence[str], fd: int) -> None:
        """Writes the archive that `docker save` writes to the descriptor `fd`. Raises: OSError, too."""
        with closing(self._saved(names)) as chunks:
            for chunk in chunks:
                write_all(fd, chunk)

    @contextmanager
    def open(self, names: Sequence[str], *, scratch: Path) -> Iterator[LayoutReader]:
        """That archive to read in; meanwhile it is a file without a name in the directory `scratch`.

        Raises: InvalidLayout, too.
        """
        with closing(self._saved(names)) as chunks:
            files = open_archive(cast("BinaryIO", ChunkStream(chunks)), scratch=scratch)
        with read_layout(files, origin=f"the Docker Engine's archive of {', '.join(names)}") as reader:
            yield reader

    def _saved(self, names: Sequence[str]) -> Generator[bytes, None, None]:
        # What goes wrong with the reader of a chunk does not come in here.
        with (
            self._engine.errors("docker save"),
            self._engine.get("/images/get", {"names": list(names)}, stream=True) as answer,
        ):
            yield from answer.iter_content(CHUNK)

    def _inspected(self, image: Digest) -> Inspected:
        with self._engine.errors("docker inspect"):
            answer = self._engine.client.inspect_image(image)
        try:
            return msgspec.convert(answer, Inspected)
        except msgspec.ValidationError as error:
            raise EngineError(f"the Docker Engine's description of {image} is malformed: {error}") from error
