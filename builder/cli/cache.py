"""`dockyard cache`: what the build cache holds, and its tending."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import click

from builder.cli.lazy import LazyGroup

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Commands(LazyGroup):
    table: ClassVar[Mapping[str, tuple[str, str]]] = {
        "du": ("builder.cli.cache_du", "Show what the cache takes, and what keeps it"),
        "export": ("builder.cli.cache_export", "Write cache mounts to an archive"),
        "import": ("builder.cli.cache_import", "Take cache mounts from an archive"),
        "prune": ("builder.cli.cache_prune", "Remove what the cache can do without"),
    }


@click.group("cache", cls=_Commands)
def command() -> None:
    """Look at the build cache, make it smaller, and take its mounts elsewhere.

    It holds results of steps, layers of base images, and cache mounts.
    """
