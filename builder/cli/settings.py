"""What holds for every command: the state root and how much to say about errors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from pathlib import Path

    from builder.api.images.service import ImageService


class Settings(NamedTuple):
    """The group's own options, resolved. Not a struct: `--version` shall not wait for msgspec."""

    root: Path
    debug: bool = False


driver_option = click.option(
    "--driver",
    type=click.Choice(["containerd", "docker", "classic"]),
    help="Which image store; default: the active one.",
)
"""For every command on images."""


def open_images(settings: Settings, driver: str | None = None) -> ImageService:
    """Who keeps people's images: see `builder.api.images.opening`. The caller closes it.

    Raises: StoreError, EngineNotFound, UsageError.
    """
    from builder.api.images.opening import open_images

    return open_images(settings.root, driver=driver, environ=os.environ)
