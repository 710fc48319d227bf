"""`dockyard store`: which image store is active, and the tending of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import click

from builder.cli.lazy import LazyGroup

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Commands(LazyGroup):
    table: ClassVar[Mapping[str, tuple[str, str]]] = {
        "ls": ("builder.cli.store_ls", "List image stores"),
        "use": ("builder.cli.store_use", "Make a store the active one"),
        "move": ("builder.cli.store_move", "Move an image to another store"),
        "info": ("builder.cli.store_info", "Describe the active store"),
        "gc": ("builder.cli.store_gc", "Remove what nothing needs, or check what is there"),
    }


@click.group("store", cls=_Commands)
def command() -> None:
    """Choose and tend image stores.

    Each store keeps its own images; those of the other one are hidden until it is active again.
    """
