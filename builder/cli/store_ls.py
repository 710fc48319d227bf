"""`dockyard store ls`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from builder.cli.settings import Settings
    from builder.store.selection import StoreSummary

_HEADER: Final = ("NAME", "STORE", "IMAGES", "SIZE")


@click.command("ls")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--images", "each", is_flag=True, help="List the images of every store, too.")
@click.pass_obj
def command(settings: Settings, /, form: str, *, each: bool) -> None:
    """List image stores; the active one is marked with a star."""
    from builder.api.stores import list_stores
    from builder.oci.digest import encode_json

    summaries = list_stores(settings.root, os.environ)
    if form == "json":
        click.echo("".join(encode_json(one).decode() + "\n" for one in summaries), nl=False)
        return
    from builder.cli.table import format_table
    from builder.progress.text import one_line

    click.echo(format_table(_HEADER, [_cells(one) for one in summaries]), nl=False)
    for one in summaries if each else ():
        click.echo(
            f"\n{one.driver.store}:\n" + "".join(f"  {one_line(name)}\n" for name in one.names), nl=False
        )


def _cells(summary: StoreSummary) -> tuple[str, ...]:
    from builder.progress.units import format_bytes

    name = f"{summary.driver.name}{' *' if summary.active else ''}"
    return name, summary.driver.store, str(summary.images), format_bytes(summary.size)
