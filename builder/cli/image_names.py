"""Which image a person means: a name in any of its spellings, or the first digits of a digest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from builder.oci.reference import parse_reference
from builder.store.errors import ImageNotFound
from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from builder.store.protocol import Image, ImageStore

_IDENTIFIER: Final = re.compile(r"(?:sha256:)?([a-f0-9]{4,64})", re.ASCII)


class AmbiguousImage(DockyardError):
    """The first digits of several images."""


def find_image(images: ImageStore, text: str) -> Image:
    """The image that `text` names; a name wins over a digest.

    Raises: ImageNotFound, AmbiguousImage, InvalidReference.
    """
    digits = _IDENTIFIER.fullmatch(text)
    # 64 digits cannot be a name, and asking for it would be an error of another kind.
    if digits is None or len(text) < 64:
        image = images.find(str(parse_reference(text)))
        if image is not None:
            return image
    found = images_of(images, digits[1]) if digits else ()
    if not found:
        raise ImageNotFound(
            f"no such image: {text}", hint="`dockyard images` lists the images of the active store"
        )
    if len({image.target.digest for image in found}) > 1:
        raise AmbiguousImage(f"{text} are the first digits of several images", hint="give more digits")
    return found[0]


def images_of(images: ImageStore, digits: str) -> tuple[Image, ...]:
    """All images whose digest begins with `digits`."""
    return tuple(image for image in images.all() if image.target.digest.hex.startswith(digits))
