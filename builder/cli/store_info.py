"""`dockyard store info`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from builder.cli.settings import Settings


@click.command("info")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def command(settings: Settings, /, form: str) -> None:
    """Describe the active store: where it is, what it can hold, what it holds."""
    from builder.api.stores import list_stores
    from builder.oci.digest import encode_json
    from builder.progress.units import format_bytes

    active = next(each for each in list_stores(settings.root, os.environ) if each.active)
    if form == "json":
        click.echo(encode_json(active).decode())
        return
    driver = active.driver
    click.echo(
        f"Driver:         {driver.name}\n"
        f"Store:          {driver.store}\n"
        f"State root:     {settings.root}\n"
        f"Namespace:      {driver.namespace}\n"
        f"Multi-platform: {_yes(driver.capabilities.multi_platform)}\n"
        f"Attestations:   {_yes(driver.capabilities.attestations)}\n"
        f"Images:         {active.images}\n"
        f"Size:           {format_bytes(active.size)}"
    )


def _yes(possible: bool) -> str:  # noqa: FBT001 - a yes or no is what is shown
    return "yes" if possible else "no"
