"""Who keeps the images that a command is about: what its driver, or the active one, means here and now."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from builder.store.root import open_root
from builder.store.selection import (
    CLASSIC,
    EMBEDDED_CLASSIC,
    active_name,
    environment_address,
    find_driver,
    open_selected,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from builder.api.images.service import ImageService
    from builder.store.engine.engine import Engine


def open_images(
    root: Path, *, driver: str | None = None, environ: Mapping[str, str] = os.environ
) -> ImageService:
    """The images of `driver` (None: the active one); the docker driver's are those of the engine that listens.

    Without an engine they are in the state root `root`, or at a daemon that the containerd driver means. The caller
    closes the service. Raises: StoreError, EngineNotFound, UsageError.
    """
    engine = chosen_engine(root, driver, environ)
    if engine is not None:
        from builder.api.images.engine import ImagesAtEngine

        return ImagesAtEngine(engine, root)
    from builder.api.images.stored import StoredImages

    address = environment_address(environ)
    store = open_selected(root, driver=driver, address=address)
    return StoredImages(store, root, driver=driver, address=address)


def chosen_engine(root: Path, driver: str | None, environ: Mapping[str, str]) -> Engine | None:
    """The engine that `driver` (None: the active one) means; None when that is a store. The caller closes it.

    Raises: EngineNotFound, EngineError, StoreError, UsageError.
    """
    name = active_name(open_root(root)) if driver is None else driver
    if name == EMBEDDED_CLASSIC or find_driver(name) != CLASSIC:
        return None
    from builder.store.engine.engine import find_engine

    return find_engine(environ)
