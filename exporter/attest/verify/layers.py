"""Whether layers have the diff IDs of their config, in its order: by decompressing them.

Without it a rewritten manifest could list the layers of its image in another order, each whole by itself. It costs
more than all other checks together, so layers that are large are left to those who ask for it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, Final

from builder.oci.digest import CHUNK, Digest
from builder.oci.mediatypes import is_layer, layer_compression
from builder.progress.units import format_bytes
from builder.snapshot.errors import InvalidLayer
from builder.snapshot.streams import open_layer
from builder.store.errors import BlobNotFound, StoreError
from exporter.attest.verify.finding import Finding, Spot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from builder.oci.descriptor import Descriptor
    from builder.store.protocol import BlobReader
    from exporter.attest.verify.graph import ImageEntry

SMALL: Final = 32 << 20
"""Bytes that all distinct layers of an image may have together to be decompressed without being asked."""

_EXPANDED: Final = 256 << 20
"""Bytes that they may become: a small layer may be a bomb."""

_THREADS: Final = 4
_SWAPPED: Final = "a layer was replaced, or the layers come in another order: do not use the image"
_ASK: Final = "--deep decompresses them"


class _Budget:
    """Bytes that may still be made, by all threads together; None is no end."""

    def __init__(self, left: int | None) -> None:
        self._left = left
        self._lock = Lock()

    def spend(self, count: int) -> bool:
        """Whether there was enough left."""
        with self._lock:
            if self._left is not None:
                self._left -= count
            return self._left is None or self._left >= 0


class _NotMade(Exception):
    """Why a diff ID is not known; `absent`: the blob is not here."""

    def __init__(self, message: str, *, skipped: bool) -> None:
        super().__init__(message)
        self.message = message
        self.skipped = skipped


def check_layers(reader: BlobReader, images: Sequence[ImageEntry], *, deep: bool) -> Iterator[Finding]:
    """The check `diff-id` of each image. `deep`: of large layers, too."""
    layers = {layer.digest: layer for image in images for layer in image.manifest.layers}
    size = sum(layer.size for layer in layers.values())
    if not deep and size > SMALL:
        for image in images:
            message = f"not checked: the layers have {format_bytes(size)}, more than {format_bytes(SMALL)}"
            yield Spot(image.descriptor.digest, image.platform).skipped("diff-id", message, hint=_ASK)
        return
    budget = _Budget(None if deep else _EXPANDED)
    with ThreadPoolExecutor(_THREADS) as pool:
        made = pool.map(lambda layer: _diff_id(reader, layer, budget), layers.values())
        diff_ids = dict(zip(layers, made, strict=True))
    for image in images:
        yield from _image(image, diff_ids)


def _image(image: ImageEntry, made: dict[Digest, Digest | _NotMade]) -> Iterator[Finding]:
    """A finding for the image when all layers are right, else one for each that is not."""
    spot, right = Spot(image.descriptor.digest, image.platform), True
    # When their numbers differ, the check `layer-count` has failed.
    for number, (layer, said) in enumerate(zip(image.manifest.layers, image.config.diff_ids, strict=False)):
        place, found = spot.at(f"$.layers[{number}]"), made[layer.digest]
        if found == said:
            continue
        right = False
        if not isinstance(found, _NotMade):
            yield place.failed("diff-id", f"has the tar {found}, the config says {said}", hint=_SWAPPED)
        elif found.skipped:
            yield place.skipped("diff-id", found.message, hint=_ASK)
        else:
            yield place.failed("diff-id", found.message, hint=_SWAPPED)
    if right:
        yield spot.held("diff-id", "layers are those of the config, in its order")


def _diff_id(reader: BlobReader, layer: Descriptor, budget: _Budget) -> Digest | _NotMade:
    if not is_layer(layer.media_type):
        return _NotMade("not checked: it is no layer", skipped=True)
    try:
        with reader.open(layer.digest) as blob:
            tar = open_layer(blob, layer_compression(layer.media_type))
            while chunk := tar.read(CHUNK):
                if not budget.spend(len(chunk)):
                    message = f"not checked: the layers make more than {format_bytes(_EXPANDED)}"
                    return _NotMade(message, skipped=True)
            return tar.finish()
    except BlobNotFound:
        # Whether it has to be here is for the check `blob`.
        return _NotMade("not checked: it is not here", skipped=True)
    except (StoreError, InvalidLayer, OSError) as error:
        return _NotMade(str(error), skipped=False)
