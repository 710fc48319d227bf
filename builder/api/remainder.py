"""What the store does not have of an image: it is at the repository that a label of the image's root names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.oci.reference import parse_reference
from builder.store.imagegraph import PARTIAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from builder.oci.descriptor import Descriptor
    from builder.registry.reader import RegistryReader
    from builder.registry.registries import Registries
    from builder.store.protocol import BlobReader, ContentReader, ContentWriter


def origin_of(
    content: ContentReader, root: Descriptor, registries: Callable[[], Registries]
) -> RegistryReader | None:
    """Where the image below `root` is whole; None when that is here. Raises: InvalidConfiguration."""
    found = content.find(root.digest)
    name = found.labels.get(PARTIAL) if found is not None else None
    if not name:
        return None
    # Loaded here because most images are whole.
    from builder.registry.reader import RegistryReader

    return RegistryReader(registries().repository(parse_reference(name)))


def whole_image(content: ContentWriter, root: Descriptor, registries: Callable[[], Registries]) -> BlobReader:
    """Reads the image below `root` from the store, and what is not there from its repository.

    Raises: InvalidConfiguration.
    """
    from builder.registry.nearby import NearbyFirst

    origin = origin_of(content, root, registries)
    return content if origin is None else NearbyFirst(content, lambda: origin)
