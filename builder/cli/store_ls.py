"""`dockyard store ls`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from builder.cli.settings import Settings
    from builder.store.selection import StoreSummary

_HEADER: Final = ("NAME", "STORE", "IMAGES", "SIZE")


@click.command("ls")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def command(settings: Settings, /, form: str) -> None:
    """List image stores; the active one is marked with a star."""
    from builder.oci.digest import encode_json
    from builder.store.selection import open_store, summarize

    with open_store(settings.root) as store:
        summaries = summarize(store.root, store.database)
    if form == "json":
        click.echo("".join(encode_json(each).decode() + "\n" for each in summaries), nl=False)
        return
    from builder.cli.table import format_table

    click.echo(format_table(_HEADER, [_cells(each) for each in summaries]), nl=False)


def _cells(summary: StoreSummary) -> tuple[str, ...]:
    from builder.progress.units import format_bytes

    name = f"{summary.driver.name}{' *' if summary.active else ''}"
    return name, summary.driver.store, str(summary.images), format_bytes(summary.size)
