"""`move()`: an image from one store to another, and out of the first when all of it is in the second."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import msgspec

from builder.api.images.sending import send_image
from builder.oci.reference import parse_reference
from builder.store.containerd.address import NAMESPACE, parse_address
from builder.store.engine.engine import find_engine
from builder.store.engine.places import DEFAULT_SOCKET, unreachable
from builder.store.errors import BlobNotFound
from builder.store.selection import open_selected, open_store
from builder.store.transfer import copy_image
from builder.system.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from builder.api.images.service import ImageService
    from builder.oci.descriptor import Descriptor
    from builder.store.protocol import Image, Store

EMBEDDED: Final = ("embedded", "classic")
ENGINE: Final = "docker"
_UNIX: Final = "unix://"


class Moved(msgspec.Struct, frozen=True):
    """What a move did: `sent` counts the bytes that the target lacked."""

    name: str
    sent: int


def move(root: Path, source: ImageService, image: Image, *, to: str, namespace: str = NAMESPACE) -> Moved:
    """Copies `image` of `source` to the store `to`, then takes its name away in `source`.

    `to` is `embedded` or `classic` in the state root, `containerd` for the daemon that was chosen, `docker` for the
    engine that listens, or a daemon's `unix:///PATH`. Raises: UsageError; DriverError for what the target cannot
    hold, before any work; StoreError. The source keeps its image then.
    """
    sent = _Sent()
    with ExitStack() as stack:
        try:
            _require_name(image)
            if to == ENGINE:
                _to_engine(source, image, stack, sent)
            else:
                target = stack.enter_context(_open(root, to, namespace))
                _require_other(source.identity, target.identity)
                opened = stack.enter_context(source.reading(image))
                copy_image(opened.reader, opened.root, target, names=[image.name], progress=sent.note)
        except BlobNotFound as error:
            raise BlobNotFound(
                error.message,
                hint="not all of the image is here; `dockyard pull --platform all` brings the rest",
            ) from error
    source.images.delete(image.name)
    return Moved(image.name, sent.size)


class _Sent:
    """Adds up what goes over."""

    def __init__(self) -> None:
        self._blobs: dict[str, int] = {}

    def note(self, blob: Descriptor, done: int) -> None:
        self._blobs[blob.digest] = done

    @property
    def size(self) -> int:
        return sum(self._blobs.values())


def _open(root: Path, to: str, namespace: str) -> Store:
    if to in EMBEDDED:
        return open_store(root, driver=to)
    if to.startswith(_UNIX):
        return open_selected(root, driver="containerd", address=parse_address(to, namespace))
    if to == "containerd":
        return open_selected(root, driver=to)
    raise UsageError(
        f"no store {to!r}; there are: {', '.join(EMBEDDED)}, containerd, {ENGINE}, unix:///PATH of a daemon"
    )


def _require_name(image: Image) -> None:
    if image.is_nameless:
        raise UsageError(
            f"image {image.target.digest} has no name to take along",
            hint="give it one with `dockyard tag`, and move that",
        )


def _require_other(source: str, target: str) -> None:
    if source == target:
        raise UsageError("the image is in that store already")


def _to_engine(source: ImageService, image: Image, stack: ExitStack, sent: _Sent) -> None:
    found = find_engine(os.environ)
    if found is None:
        raise unreachable(DEFAULT_SOCKET)
    engine = stack.enter_context(found)
    _require_other(source.identity, engine.address)
    opened = stack.enter_context(source.reading(image))
    send_image(engine, opened.reader, opened.root, [parse_reference(image.name)], progress=sent.note)
