"""`dockyard attest`: what is said about images."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import click

from builder.cli.lazy import LazyGroup

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Commands(LazyGroup):
    table: ClassVar[Mapping[str, tuple[str, str]]] = {
        "show": ("builder.cli.attest_show", "Show how an image was made, and what is in it"),
        "diff": ("builder.cli.attest_diff", "Show what changed between two images"),
        "convert": ("builder.cli.attest_convert", "Give attestations their other form"),
    }


@click.group("attest", cls=_Commands)
def command() -> None:
    """Read and convert what is said about images: provenance and SBOMs."""
