"""`dockyard imagetools`: images where registries keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import click

from builder.cli.lazy import LazyGroup

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Commands(LazyGroup):
    table: ClassVar[Mapping[str, tuple[str, str]]] = {
        "create": ("builder.cli.imagetools_create", "Make an image of others"),
        "inspect": ("builder.cli.imagetools_inspect", "Show an image at its registry"),
    }


@click.group("imagetools", cls=_Commands)
def command() -> None:
    """Work on images at registries, without fetching them."""
