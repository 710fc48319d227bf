"""`dockyard store use`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from builder.cli.settings import Settings


@click.command("use")
@click.argument("name", metavar="containerd|docker")
@click.pass_obj
def command(settings: Settings, /, name: str) -> None:
    """Make a store the active one, for every command on this state root from now on."""
    from builder.store.root import open_root
    from builder.store.selection import use_driver

    driver = use_driver(open_root(settings.root), name)
    click.echo(f"{driver.name}: {driver.store}")
