"""Where the image that a person means lies: in the active store, in a layout, or in an archive."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from builder.cli.settings import open_images

if TYPE_CHECKING:
    from contextlib import ExitStack

    from builder.cli.settings import Settings
    from builder.oci.descriptor import Descriptor
    from exporter.attest.signing.checking import SignaturePlace

_LAYOUT: Final = "oci-layout:"


class FoundImage(NamedTuple):
    """What to call the image, its root, where its blobs and signatures are, and the repository of the rest."""

    name: str
    root: Descriptor
    place: SignaturePlace
    elsewhere: str = ""


def open_place(settings: Settings, image: str, driver: str | None, stack: ExitStack) -> FoundImage:
    """The image that is a name of the active store, `oci-layout:PATH[:TAG]`, or an archive `FILE.tar`.

    `driver` chooses the store. `stack` closes what it lies in.
    Raises: StoreError, EngineNotFound, InvalidReference, AmbiguousImage.
    """
    from builder.cli.image_names import find_image
    from builder.store.layout.reader import open_layout
    from exporter.attest.signing.places import LayoutPlace

    if image.startswith(_LAYOUT) or image.endswith(".tar"):
        path, tag = _split(image.removeprefix(_LAYOUT))
        reader = stack.enter_context(open_layout(Path(path), scratch=settings.root))
        return FoundImage(image, reader.find(tag), LayoutPlace(reader))
    service = stack.enter_context(open_images(settings, driver))
    found = find_image(service.images, image)
    opened = stack.enter_context(service.reading(found))
    return FoundImage(found.name, opened.root, opened.signatures(), opened.elsewhere)


def _split(text: str) -> tuple[str, str | None]:
    """A path and the tag behind it; a colon that is part of the path stays there."""
    if os.path.exists(text):
        return text, None
    path, colon, tag = text.rpartition(":")
    return (path, tag) if colon and "/" not in tag else (text, None)
